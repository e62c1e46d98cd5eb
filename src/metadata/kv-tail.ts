import { type Msg, type MsgHdrs, createInbox, nuid } from 'nats';
import { TroughError } from '../errors.ts';
import { type KvApi, isMarker } from './kv-api.ts';

/** One message of the stream, in the order of the stream. */
export interface TailMessage {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly deleted: boolean;
  /** How many more the server has for this reader right now. */
  readonly pending: number;
}

const BATCH = 256;
const HEARTBEAT_MS = 1_000;
const SILENCE_MS = 3_000;
const PULL_EXPIRES_MS = 30_000;
/** The server forgets a reader that has gone without a word after this time. */
const INACTIVE_MS = 30_000;
const NS_PER_MS = 1_000_000;

/**
 * One server-side reader and what it delivers, from revision `from` on. Ends with METADATA_UNREACHABLE as soon as a message may be
 * missing: a number is skipped, the reader is gone, or the server is silent. The caller then opens another where this one ended.
 */
export class KvTail {
  readonly #api: KvApi;
  readonly #name = nuid.next();
  readonly #inbox = createInbox();
  readonly #signal: AbortSignal;
  #queue: TailMessage[] = [];
  #failure: TroughError | undefined;
  #wake: (() => void) | undefined;
  #delivered = 0;
  #owed = 0;
  #silence: NodeJS.Timeout | undefined;

  constructor(api: KvApi, signal: AbortSignal) {
    this.#api = api;
    this.#signal = signal;
  }

  /** Yields what has come since the last time, at least one; an empty batch first, with how many are to come. */
  async *read(filter: string, from: number): AsyncGenerator<{ messages: readonly TailMessage[]; pending: number }> {
    const subscription = this.#api.connection.subscribe(this.#inbox, {
      callback: (error, message) => {
        if (error === null) this.#hear(message);
        else this.#fail(error.message);
      },
    });
    const onAbort = (): void => {
      this.#fail('given up');
    };
    this.#signal.addEventListener('abort', onAbort);
    const endInterrupt = this.#api.onInterrupt(() => {
      this.#fail('the connection was lost');
    });
    try {
      yield { messages: [], pending: await this.#open(filter, from) };
      for (;;) {
        if (this.#queue.length === 0) await this.#more();
        const messages = this.#queue;
        this.#queue = [];
        if (messages.length > 0) yield { messages, pending: messages.at(-1)?.pending ?? 0 };
        else if (this.#failure !== undefined) throw this.#failure;
      }
    } finally {
      clearTimeout(this.#silence);
      endInterrupt();
      this.#signal.removeEventListener('abort', onAbort);
      if (!this.#api.connection.isClosed()) {
        subscription.unsubscribe();
        this.#api.connection.publish(`$JS.API.CONSUMER.DELETE.${this.#api.stream}.${this.#name}`);
      }
    }
  }

  /** How many messages wait for the new reader. */
  async #open(filter: string, from: number): Promise<number> {
    const config = {
      name: this.#name,
      filter_subject: filter,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Math.max(1, from),
      ack_policy: 'none',
      replay_policy: 'instant',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NS_PER_MS,
    };
    const subject = `$JS.API.CONSUMER.CREATE.${this.#api.stream}.${this.#name}.${filter}`;
    const body = JSON.stringify({ stream_name: this.#api.stream, config, action: 'create' });
    const answer = (await this.#api.connection.request(subject, body, { timeout: 2_000 })).json<{
      num_pending?: number;
      error?: { description?: string };
    }>();
    if (answer.error !== undefined) throw broken(answer.error.description ?? 'reader refused');
    return answer.num_pending ?? 0;
  }

  async #more(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#owed === 0) this.#pull();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #pull(): void {
    this.#owed = BATCH;
    const body = { batch: BATCH, expires: PULL_EXPIRES_MS * NS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#api.stream}.${this.#name}`;
    this.#api.connection.publish(subject, JSON.stringify(body), { reply: this.#inbox });
    this.#listen();
  }

  #hear(message: Msg): void {
    this.#listen();
    const { headers } = message;
    if (message.subject === this.#inbox && headers !== undefined && headers.code > 0) {
      this.#hearStatus(headers);
      return;
    }
    const { delivered, revision, pending } = readReply(message.reply ?? '');
    if (delivered !== this.#delivered + 1) {
      this.#fail(`message ${String(this.#delivered + 1)} was due, ${String(delivered)} came`);
      return;
    }
    this.#delivered = delivered;
    this.#owed -= 1;
    const key = this.#api.keyOf(message.subject);
    this.#queue.push({ key, value: message.data, revision, deleted: isMarker(headers), pending });
    this.#wakeUp();
  }

  #hearStatus(headers: MsgHdrs): void {
    switch (headers.code) {
      case 100: {
        const last = headers.get('Nats-Last-Consumer');
        if (last !== '' && Number(last) > this.#delivered) this.#fail('messages were lost on the way');
        return;
      }
      case 404:
      case 408:
        this.#owed = 0;
        this.#wakeUp();
        if (this.#queue.length === 0 && this.#failure === undefined) this.#pull();
        return;
      default:
        this.#fail(`${String(headers.code)} ${headers.description}`);
    }
  }

  /** From now on the server has `SILENCE_MS` to say something. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // Nothing is awaited while the consumer of this reader still works through a batch.
      if (this.#owed > 0) this.#fail('the server is silent');
    }, SILENCE_MS);
  }

  #fail(reason: string): void {
    this.#failure ??= broken(reason);
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function broken(reason: string): TroughError {
  return new TroughError('METADATA_UNREACHABLE', `reading the metadata stream was interrupted: ${reason}`);
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<revision>.<delivered>.<time>.<pending>`, newer servers put domain and account before the stream. */
function readReply(reply: string): { delivered: number; revision: number; pending: number } {
  const tokens = reply.split('.');
  const at = tokens.length >= 11 ? 7 : 5;
  return { revision: Number(tokens[at]), delivered: Number(tokens[at + 1]), pending: Number(tokens[at + 3]) };
}
