import { type MsgHdrs, headers as makeHeaders } from 'nats';
import { TroughError } from '../../errors.ts';
import { toToken, fromToken } from '../../model/token.ts';
import { lost } from '../journal-errors.ts';
import { type JournalKey, type JournalRecord } from '../journal.ts';
import { type Answer, type Requests } from './requests.ts';

/** A record on its way: never changed over all its tries. */
export interface Letter {
  readonly key: JournalKey;
  readonly subject: string;
  readonly messageId: string;
  readonly expected: number;
  readonly body: Uint8Array;
  /** What it takes in the stream, nearly. */
  readonly sizeBytes: number;
}

export type Outcome =
  | { readonly kind: 'stored'; readonly sequence: number }
  /** Refused for its expectation, or for another publish on the subject that is not decided yet, or because the server knows the id. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'full' }
  /** `arrived`: it may have been stored, or may be yet. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly arrived: boolean }
  /** Refused for good, for a reason of its own. */
  | { readonly kind: 'impossible'; readonly reason: string };

/** A record with what it says it was appended after. */
export interface Found extends JournalRecord {
  readonly messageId: string;
  readonly after: number | undefined;
}

/** Undefined: there is none. A failure is worth another try. */
export type Look = { readonly kind: 'found'; readonly record: Found | undefined } | Failure;
export interface Failure {
  readonly kind: 'failed';
  readonly reason: string;
}

export interface StreamInfo {
  /** In the answer to the creation: it was not there before. */
  readonly did_create?: boolean;
  readonly created: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly max_bytes?: number; readonly num_replicas?: number };
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly last_seq: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
  readonly total?: number;
}

/** One try of a request. A lost one is noticed after this time, whatever became of it. */
const TRY_MS = 500;
const API_MS = 2_000;
/** A page of 100,000 subjects takes the server a second. */
const LISTING_MS = 30_000;
/** Numbers of JetStream's errors. */
const NO_STREAM = 10059;
const NO_MESSAGE = 10037;
/** Wrong last sequence; id in process, and "wrong last sequence" of replicated streams, which may only mean that something is under way. */
const NOT_NOW = [10071, 10158, 10164];
const STORE_FAILED = 10077;
/** The account's or the server's storage is used up. */
const NO_ROOM = [10023, 10047];
const EXPECTED = 'Nats-Expected-Last-Subject-Sequence';
export const MESSAGE_ID = 'Nats-Msg-Id';

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** The requests to JetStream that a journal needs, one try each. What it reads comes from the stream's leader. */
export class JournalApi {
  readonly requests: Requests;
  readonly #prefix: string;

  constructor(requests: Requests, prefix: string) {
    this.requests = requests;
    this.#prefix = prefix;
  }

  /** The name in JetStream. */
  nameOf(stream: string): string {
    return `${this.#prefix}_journal_${stream}`;
  }

  subjectsOf(stream: string): string {
    return `${this.#prefix}.journal.${stream}.*`;
  }

  subjectOf({ stream, name }: JournalKey): string {
    return `${this.#prefix}.journal.${stream}.${toToken(name)}`;
  }

  keyNameOf(subject: string): string {
    return fromToken(subject.slice(subject.lastIndexOf('.') + 1));
  }

  /** Ids are the stream's, not the subject's: the token in front tells keys apart. */
  messageIdOf({ name }: JournalKey, id: string): string {
    return `${toToken(name)}.${id}`;
  }

  idOf(messageId: string): string {
    return messageId.slice(messageId.indexOf('.') + 1);
  }

  /** Streams of the journal that exist. Unsorted. */
  async streams(): Promise<readonly string[] | Failure> {
    const names: string[] = [];
    for (;;) {
      const body = { subject: `${this.#prefix}.journal.>`, offset: names.length };
      const answer = await this.call('STREAM.NAMES', body);
      if (answer.kind !== 'done') return asFailure(answer);
      const page = answer.value as { streams?: string[] | null; total: number };
      names.push(...(page.streams ?? []));
      if (names.length >= page.total || (page.streams ?? []).length === 0) break;
    }
    const start = this.nameOf('');
    return names.filter((name) => name.startsWith(start)).map((name) => name.slice(start.length));
  }

  /** Error: JOURNAL_LOST. */
  async info(stream: string): Promise<StreamInfo | Failure> {
    const answer = await this.call(`STREAM.INFO.${this.nameOf(stream)}`, {});
    return answer.kind === 'done' ? (answer.value as StreamInfo) : asFailure(answer, stream);
  }

  /** Subjects of the stream from the `offset`th on, as many as the server gives at a time, and how many there are. Error: JOURNAL_LOST. */
  async subjects(stream: string, offset: number): Promise<{ subjects: readonly string[]; total: number } | Failure> {
    const body = { subjects_filter: this.subjectsOf(stream), offset };
    const answer = await this.call(`STREAM.INFO.${this.nameOf(stream)}`, body, LISTING_MS);
    if (answer.kind !== 'done') return asFailure(answer, stream);
    const { state, total = 0 } = answer.value as StreamInfo;
    return { subjects: Object.keys(state.subjects ?? {}), total };
  }

  /** The newest record of the subject; with `from`, the first one from that sequence on. Error: JOURNAL_LOST. */
  async look({ key, subject }: { key: JournalKey; subject: string }, from?: number): Promise<Look> {
    const body = from === undefined ? { last_by_subj: subject } : { seq: from, next_by_subj: subject };
    const answer = await this.call(`STREAM.MSG.GET.${this.nameOf(key.stream)}`, body);
    if (answer.kind === 'done')
      return { kind: 'found', record: this.#decode((answer.value as { message: StoredMessage }).message) };
    if (answer.error?.err_code === NO_MESSAGE) return { kind: 'found', record: undefined };
    return asFailure(answer, key.stream);
  }

  /** Everything of the subject below that sequence. The caller sees to it that the last one stays. Error: JOURNAL_LOST. */
  async purge(
    { key, subject }: { key: JournalKey; subject: string },
    belowSequence: number,
  ): Promise<Failure | undefined> {
    const body = { filter: subject, seq: belowSequence };
    const answer = await this.call(`STREAM.PURGE.${this.nameOf(key.stream)}`, body);
    return answer.kind === 'done' ? undefined : asFailure(answer, key.stream);
  }

  async publish(letter: Letter): Promise<Outcome> {
    const answer = await this.requests.ask(letter.subject, letter.body, TRY_MS, headersOf(letter));
    if (answer.kind === 'none') return { kind: 'unknown', reason: answer.reason, arrived: answer.arrived };
    return readOutcome(answer.message.json(), letter.expected);
  }

  async call(
    verb: string,
    body: object,
    timeoutMs = API_MS,
  ): Promise<{ kind: 'done'; value: object } | { kind: 'failed'; reason: string; error?: ApiError }> {
    const answer: Answer = await this.requests.ask(`$JS.API.${verb}`, JSON.stringify(body), timeoutMs);
    if (answer.kind === 'none') return { kind: 'failed', reason: answer.reason };
    const value: { error?: ApiError } = answer.message.json();
    if (value.error === undefined) return { kind: 'done', value };
    return { kind: 'failed', reason: reasonOf(value.error), error: value.error };
  }

  #decode({ seq, hdrs = '', data = '', time }: StoredMessage): Found {
    const headers = Buffer.from(hdrs, 'base64').toString();
    const messageId = headerIn(headers, MESSAGE_ID) ?? '';
    const after = headerIn(headers, EXPECTED);
    return {
      sequence: seq,
      messageId,
      id: this.idOf(messageId),
      body: new Uint8Array(Buffer.from(data, 'base64')),
      timeMs: Date.parse(time),
      after: after === undefined ? undefined : Number(after),
    };
  }
}

interface StoredMessage {
  readonly seq: number;
  readonly hdrs?: string;
  readonly data?: string;
  readonly time: string;
}

export function headersOf({ messageId, expected }: Letter): MsgHdrs {
  const headers = makeHeaders();
  headers.append(MESSAGE_ID, messageId);
  headers.append(EXPECTED, String(expected));
  return headers;
}

/** What the server says to a publish. */
export function readOutcome(answer: unknown, expected: number): Outcome {
  const { seq, duplicate, error } = answer as { seq?: number; duplicate?: boolean; error?: ApiError };
  if (error !== undefined) return readRefusal(error);
  // A duplicate may be another record's id, and a lower number is the word of a server that lost something: both are looked up.
  if (seq === undefined || seq <= expected || duplicate === true) return { kind: 'refused' };
  return { kind: 'stored', sequence: seq };
}

function readRefusal(error: ApiError): Outcome {
  const number = error.err_code ?? 0;
  if (NOT_NOW.includes(number)) return { kind: 'refused' };
  const reason = reasonOf(error);
  if (NO_ROOM.includes(number) || (number === STORE_FAILED && reason.includes('maximum bytes')))
    return { kind: 'full' };
  if (error.code === 400 || error.code === 429) return { kind: 'impossible', reason };
  // Anything else (no leader, no quorum, a disk that fails) says nothing about what becomes of it.
  return { kind: 'unknown', reason, arrived: true };
}

function reasonOf({ description, err_code }: ApiError): string {
  return `${description ?? 'error'} (${String(err_code)})`;
}

function asFailure({ reason, error }: { reason: string; error?: ApiError }, stream?: string): Failure {
  if (stream !== undefined && error?.err_code === NO_STREAM) throw lost(stream, 'is not there');
  if (error !== undefined && error.code === 400) throw new TroughError('INTERNAL', `JetStream refuses: ${reason}`);
  return { kind: 'failed', reason };
}

function headerIn(block: string, name: string): string | undefined {
  const at = block.indexOf(`\r\n${name}: `);
  if (at < 0) return undefined;
  const begin = at + name.length + 4;
  return block.slice(begin, block.indexOf('\r\n', begin));
}
