import { TroughError } from '../errors.ts';
import { HEADER, NOTHING, decodeError, ownHeaders } from './answer-protocol.ts';
import { type BusHeaders, type BusReply } from './bus.ts';
import { type After, type Wire, type WireMessage } from './wire.ts';

export interface IncomingAnswerOptions {
  readonly wire: Wire;
  readonly after: After;
  readonly subject: string;
  readonly deadlineMs: number;
  readonly silenceMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Called once, when no more message of this answer is of interest. */
  readonly forget: () => void;
}

/** The last part of a silence is waited for on its own: when this process stood still, what came meanwhile is heard first. */
const BREATH_MS = 50;

type Waiter<T> = { resolve: (value: T) => void; reject: (error: TroughError) => void };

/** The asking side of one request: from the question to the last byte that its consumer takes. */
export class IncomingAnswer implements BusReply, AsyncIterableIterator<Uint8Array> {
  readonly #options: IncomingAnswerOptions;
  readonly reply: Promise<BusReply>;
  #start: Waiter<BusReply> | undefined;
  #reader: Waiter<IteratorResult<Uint8Array, undefined>> | undefined;
  #headers: BusHeaders = {};
  #trailers: BusHeaders = {};
  #queue: WireMessage[] = [];
  #expected = 0;
  /** No more messages are wanted. */
  #closed = false;
  #failure: TroughError | undefined;
  /** Of an answer in several messages. */
  #failing: AbortController | undefined;
  /** Where a cancel goes, once known. */
  #cancelAt = '';
  #cancelTimer: (() => void) | undefined;
  #cancelSilence: (() => void) | undefined;
  readonly #onAbort = (): void => {
    const reason: unknown = this.#options.signal?.reason;
    this.fail(reason instanceof TroughError ? reason : new TroughError('BUS_TIMEOUT', 'the asker gave up', {}, reason));
  };

  constructor(options: IncomingAnswerOptions) {
    this.#options = options;
    this.reply = new Promise((resolve, reject) => {
      this.#start = { resolve, reject };
    });
    options.signal?.addEventListener('abort', this.#onAbort);
    this.#arm();
  }

  get headers(): BusHeaders {
    return this.#headers;
  }

  get body(): AsyncIterable<Uint8Array> {
    return this;
  }

  get failure(): AbortSignal | undefined {
    return this.#failing?.signal;
  }

  readonly trailers = (): BusHeaders => this.#trailers;

  hear(message: WireMessage): void {
    if (this.#closed) return;
    if (message.noResponders) {
      this.fail(new TroughError('BUS_NO_RESPONDERS', `nobody answers on ${this.#options.subject}`));
      return;
    }
    if (message.headers[HEADER.working] !== undefined) {
      this.#cancelAt = message.reply;
      if (this.#cancelSilence !== undefined) this.#armSilence();
      return;
    }
    this.#disarm();
    const sequence = message.headers[HEADER.sequence];
    if (sequence === undefined && this.#expected === 0) this.#hearWhole(message);
    else if (sequence === String(this.#expected)) this.#hearChunk(message);
    else this.#break(sequence);
  }

  /** Ends it at once, whatever is still queued; the answering side is told to stop. */
  fail(error: TroughError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#failing?.abort(error);
    this.#queue = [];
    this.#cancelOther();
    this.#close();
    this.#start?.reject(error);
    this.#start = undefined;
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#hand();
    });
  }

  /** The consumer leaves early. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#queue = [];
    this.#cancelOther();
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  #hearWhole(message: WireMessage): void {
    this.#close();
    const error = decodeError(message.headers, message.body);
    if (error !== undefined) {
      this.fail(error);
      return;
    }
    this.#headers = ownHeaders(message.headers);
    this.#trailers = this.#headers;
    if (message.body.length > 0) this.#queue.push(message);
    this.#begin();
  }

  #hearChunk(message: WireMessage): void {
    if (this.#expected === 0) {
      this.#failing = new AbortController();
      this.#headers = ownHeaders(message.headers);
      this.#begin();
    }
    this.#expected += 1;
    if (message.reply !== '') this.#cancelAt = message.reply;
    if (message.headers[HEADER.last] !== undefined) {
      this.#close();
      const error = decodeError(message.headers, message.body);
      if (error !== undefined) this.#failing?.abort(error);
    }
    this.#queue.push(message);
    this.#hand();
  }

  #begin(): void {
    this.#start?.resolve(this);
    this.#start = undefined;
  }

  /** Gives the reader the next piece, the end or the error, if it waits for one. */
  #hand(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    if (this.#failure !== undefined) {
      this.#reader = undefined;
      reader.reject(this.#failure);
      return;
    }
    const message = this.#queue.shift();
    if (message === undefined) {
      if (!this.#closed) return;
      this.#reader = undefined;
      reader.resolve({ done: true, value: undefined });
      return;
    }
    this.#take(message);
  }

  #take(message: WireMessage): void {
    const error = decodeError(message.headers, message.body);
    if (error !== undefined) {
      this.fail(error);
      return;
    }
    if (message.headers[HEADER.last] !== undefined)
      this.#trailers = { ...this.#headers, ...ownHeaders(message.headers) };
    if (message.reply !== '' && !this.#closed) this.#options.wire.send(message.reply, NOTHING);
    if (this.#queue.length === 0) this.#arm();
    if (message.body.length === 0) {
      this.#hand();
      return;
    }
    this.#reader?.resolve({ done: false, value: message.body });
    this.#reader = undefined;
  }

  #break(sequence: string | undefined): void {
    const expected = this.#expected;
    const came = sequence ?? 'none';
    this.fail(
      new TroughError('BUS_ANSWER_BROKEN', `chunk ${String(expected)} was due, ${came} came`, { expected, came }),
    );
  }

  #cancelOther(): void {
    if (this.#closed || this.#cancelAt === '') return;
    this.#options.wire.send(this.#cancelAt, NOTHING, { [HEADER.cancel]: '1' });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#disarm();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#options.forget();
  }

  /** The wait for a message; while the consumer still has chunks to take, there is none. */
  #arm(): void {
    this.#disarm();
    if (this.#closed) return;
    this.#armSilence();
    this.#cancelTimer = this.#options.after(this.#options.deadlineMs, () => {
      const waited = String(this.#options.deadlineMs);
      this.fail(new TroughError('BUS_TIMEOUT', `${this.#options.subject} sent nothing for ${waited} ms`));
    });
  }

  /** The wait for a message or a sign of life. */
  #armSilence(): void {
    this.#cancelSilence?.();
    const { after, silenceMs, subject } = this.#options;
    if (silenceMs === undefined) return;
    const breathMs = Math.min(BREATH_MS, silenceMs / 2);
    this.#cancelSilence = after(silenceMs - breathMs, () => {
      this.#cancelSilence = after(breathMs, () => {
        const message = `${subject} gave no sign of life for ${String(silenceMs)} ms`;
        this.fail(new TroughError('BUS_TIMEOUT', message, { silent: true }));
      });
    });
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#cancelSilence?.();
    this.#cancelSilence = undefined;
  }
}
