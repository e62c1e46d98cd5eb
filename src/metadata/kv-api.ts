import {
  type JetStreamManager,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
  type StreamInfo,
  headers as makeHeaders,
} from 'nats';
import { TroughError } from '../errors.ts';

/** The last message of one key, as the stream's leader has it. */
export interface StoredValue {
  readonly revision: number;
  readonly key: string;
  readonly value: Uint8Array;
  readonly deleted: boolean;
  readonly messageId: string;
  /** The revision that it says it replaced; undefined when it does not say. */
  readonly replaced: number | undefined;
}

/** A write, unchanged over all its tries. */
export interface KvWrite {
  readonly key: string;
  readonly value: Uint8Array;
  readonly expected: number;
  readonly remove: boolean;
  readonly messageId: string;
}

export type PublishOutcome =
  | { readonly kind: 'stored'; readonly revision: number }
  /** Refused for its expectation; `underWay`: for another publish on the key that is not decided yet, perhaps this very one. */
  | { readonly kind: 'refused'; readonly underWay: boolean }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'impossible'; readonly reason: string };

/** One try of a request. A lost one is noticed after this time, whatever became of it. */
const TRY_MS = 500;
const WRONG_LAST = 10071;
/** "Something on this subject is under way", on replicated streams. */
const UNDER_WAY = [10158, 10164];
const NO_MESSAGE = 10037;
const EXPECTED = 'Nats-Expected-Last-Subject-Sequence';
const OPERATION = 'KV-Operation';
/** Removing is DEL in the way of the `nats kv` tools; a PURGE or an expired key reads the same. */
const MARKERS = ['DEL', 'PURGE'];

/** The requests to JetStream that a bucket needs, one try each. All reads are answered by the stream's leader. */
export class KvApi {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  readonly #subjects: string;
  readonly #interrupts = new Set<() => void>();

  constructor(connection: NatsConnection, manager: JetStreamManager, bucket: string) {
    this.connection = connection;
    this.manager = manager;
    this.stream = `KV_${bucket}`;
    this.#subjects = `$KV.${bucket}.`;
  }

  static async open(connection: NatsConnection, bucket: string): Promise<KvApi> {
    return new KvApi(connection, await connection.jetstreamManager({ timeout: TRY_MS, checkAPI: false }), bucket);
  }

  subjectOf(key: string): string {
    return this.#subjects + key;
  }

  /** The subjects of a prefix of whole tokens. */
  filterOf(prefix: string): string {
    return `${this.#subjects}${prefix}>`;
  }

  keyOf(subject: string): string {
    return subject.slice(this.#subjects.length);
  }

  /** Registers what to do when the connection is lost; returns the function that ends it. */
  onInterrupt(run: () => void): () => void {
    this.#interrupts.add(run);
    return () => {
      this.#interrupts.delete(run);
    };
  }

  interrupt(): void {
    for (const run of this.#interrupts) run();
  }

  info(): Promise<StreamInfo> {
    return this.manager.streams.info(this.stream);
  }

  /** The newest message whose subject matches; undefined when there is none. */
  async last(subject: string): Promise<StoredValue | undefined> {
    try {
      const message = await this.manager.streams.getMessage(this.stream, { last_by_subj: subject });
      return {
        revision: message.seq,
        key: this.keyOf(message.subject),
        value: message.data,
        deleted: isMarker(message.header),
        messageId: message.header.get('Nats-Msg-Id'),
        replaced: message.header.has(EXPECTED) ? Number(message.header.get(EXPECTED)) : undefined,
      };
    } catch (error) {
      if (error instanceof NatsError && error.api_error?.err_code === NO_MESSAGE) return undefined;
      throw error;
    }
  }

  /** One try. Throws REQUEST_TOO_LARGE alone. */
  async publish(write: KvWrite): Promise<PublishOutcome> {
    const headers = makeHeaders();
    headers.append('Nats-Msg-Id', write.messageId);
    headers.append(EXPECTED, String(write.expected));
    if (write.remove) headers.append(OPERATION, 'DEL');
    try {
      const answer = await this.connection.request(this.subjectOf(write.key), write.value, {
        timeout: TRY_MS,
        headers,
      });
      return readAcknowledgement(answer.json(), write.expected);
    } catch (error) {
      if (error instanceof NatsError && error.code === 'MAX_PAYLOAD_EXCEEDED') {
        const context = { key: write.key, sizeBytes: write.value.length };
        throw new TroughError('REQUEST_TOO_LARGE', 'the document is larger than NATS takes', context, error);
      }
      return { kind: 'unknown', reason: error instanceof Error ? error.message : String(error) };
    }
  }
}

export function isMarker(headers: MsgHdrs | undefined): boolean {
  if (headers === undefined) return false;
  return MARKERS.includes(headers.get(OPERATION)) || headers.has('Nats-Marker-Reason');
}

export function asUnreachable(error: unknown, what: string): TroughError {
  if (error instanceof TroughError) return error;
  return new TroughError(
    'METADATA_UNREACHABLE',
    `${what}: ${error instanceof Error ? error.message : String(error)}`,
    {},
    error,
  );
}

function readAcknowledgement(answer: unknown, expected: number): PublishOutcome {
  const { seq, error } = answer as { seq?: number; error?: { code: number; err_code?: number; description?: string } };
  if (error !== undefined) {
    const errorNumber = error.err_code ?? 0;
    if (errorNumber === WRONG_LAST) return { kind: 'refused', underWay: false };
    if (UNDER_WAY.includes(errorNumber)) return { kind: 'refused', underWay: true };
    const reason = `${error.description ?? 'error'} (${String(errorNumber)})`;
    return error.code === 503 ? { kind: 'unknown', reason } : { kind: 'impossible', reason };
  }
  // An older sequence is the word of a server that lost something: looked up like an unknown outcome.
  if (seq === undefined || seq <= expected) return { kind: 'refused', underWay: true };
  return { kind: 'stored', revision: seq };
}
