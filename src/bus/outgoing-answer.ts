import { TroughError } from '../errors.ts';
import { CHUNK_BYTES, HEADER, NOTHING, WINDOW, encodeError } from './answer-protocol.ts';
import { type BusAnswer, type BusHeaders, type BusRequest } from './bus.ts';
import { ChunkCutter } from './chunk-cutter.ts';
import { type After, type Wire, type WireMessage } from './wire.ts';

const LINGER_MS = 5;
/** A request that takes longer than this tells its asker where to cancel. */
const WORKING_AFTER_MS = 100;

export interface OutgoingAnswerOptions {
  readonly wire: Wire;
  readonly after: After;
  /** Prefix of the subjects on which chunks are acknowledged, of this answer alone. */
  readonly acknowledgements: string;
  /** An asker that acknowledges nothing for so long is gone. */
  readonly acknowledgeMs: number;
  /** How often the asker hears that the work goes on, when it hears nothing else. */
  readonly workingMs: number;
}

/** The answering side of one request: runs the handler, sends what it returns at the asker's pace, notices when the asker leaves. */
export class OutgoingAnswer implements BusRequest {
  readonly #options: OutgoingAnswerOptions;
  readonly #message: WireMessage;
  readonly #patienceMs: number;
  #controller: AbortController | undefined;
  #gone: TroughError | undefined;
  #cutter: ChunkCutter | undefined;
  #sent = 0;
  #acknowledged = 0;
  #wakeWindow: (() => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #cancelSign: (() => void) | undefined;

  constructor(message: WireMessage, options: OutgoingAnswerOptions) {
    this.#message = message;
    this.#options = options;
    this.#patienceMs = Number(message.headers[HEADER.patience] ?? 0);
  }

  get subject(): string {
    return this.#message.subject;
  }

  get body(): Uint8Array {
    return this.#message.body;
  }

  get headers(): BusHeaders {
    return this.#message.headers;
  }

  /** Made when first asked for: most handlers are done before it could matter. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#gone !== undefined) this.#controller.abort(this.#gone);
    }
    return this.#controller.signal;
  }

  /** Resolves when the answer is sent or given up, with the error it ended with. */
  async run(handle: (request: BusRequest) => Promise<BusAnswer>): Promise<TroughError | undefined> {
    this.#armPatience();
    try {
      await this.#send(await handle(this));
      return undefined;
    } catch (thrown) {
      const error = this.#gone ?? TroughError.from(thrown);
      this.leave(error);
      this.#sendError(error);
      return error;
    } finally {
      this.#disarm();
      this.#cancelSign?.();
    }
  }

  /** A message on one of the acknowledgement subjects; `sequence` is the last token of it. */
  hear(sequence: string, message: WireMessage): void {
    if (message.noResponders || message.headers[HEADER.cancel] !== undefined) {
      this.leave(new TroughError('BUS_ASKER_GONE', 'the asker is gone'));
      return;
    }
    this.#acknowledged = Math.max(this.#acknowledged, Math.min(this.#sent, Number(sequence) + 1));
    this.#armAcknowledgement();
    this.#wakeWindow?.();
  }

  /** True when chunks were sent that a lost connection may have swallowed. */
  get isStreaming(): boolean {
    return this.#sent > 0;
  }

  /** Ends the work: the signal fires, the body is given up. */
  leave(reason: TroughError): void {
    if (this.#gone !== undefined) return;
    this.#gone = reason;
    this.#cancelSign?.();
    this.#controller?.abort(reason);
    this.#cutter?.stop(reason);
    this.#wakeWindow?.();
  }

  async #send(answer: BusAnswer): Promise<void> {
    const { body, headers } = answer;
    if (body instanceof Uint8Array && body.length <= CHUNK_BYTES) {
      this.#sendWhole(headers, body, answer.trailers);
      return;
    }
    const pieces = body instanceof Uint8Array ? onePiece(body) : body;
    const cutter = new ChunkCutter(pieces, { mostBytes: CHUNK_BYTES, lingerMs: LINGER_MS, after: this.#options.after });
    this.#cutter = cutter;
    answer.failure?.addEventListener('abort', () => {
      this.leave(TroughError.from(answer.failure?.reason));
    });
    if (this.#gone !== undefined) cutter.stop(this.#gone);
    for (;;) {
      const chunk = await cutter.next();
      if (chunk.last && this.#sent === 0) {
        this.#sendWhole(headers, chunk.bytes, answer.trailers);
        return;
      }
      await this.#window();
      const first = this.#sent === 0 ? { ...headers, [HEADER.status]: '200' } : {};
      if (chunk.last) {
        this.#sendLast({ ...first, ...answer.trailers?.() }, chunk.bytes);
        return;
      }
      this.#sendChunk(first, chunk.bytes);
    }
  }

  #sendWhole(headers: BusHeaders, body: Uint8Array, trailers: (() => BusHeaders) | undefined): void {
    if (this.#gone !== undefined) throw this.#gone;
    const after = trailers?.();
    this.#options.wire.send(this.#message.reply, body, { ...headers, ...after, [HEADER.status]: '200' });
  }

  #sendChunk(headers: BusHeaders, bytes: Uint8Array): void {
    const sequence = String(this.#sent);
    const numbered = { ...headers, [HEADER.sequence]: sequence };
    this.#options.wire.send(this.#message.reply, bytes, numbered, `${this.#options.acknowledgements}.${sequence}`);
    this.#sent += 1;
    this.#signLater();
    // One chunk alone starts the wait for an acknowledgement; the following ones do not prolong it.
    if (this.#sent - this.#acknowledged === 1) this.#armAcknowledgement();
  }

  #sendLast(headers: BusHeaders, bytes: Uint8Array): void {
    const ending = { ...headers, [HEADER.sequence]: String(this.#sent), [HEADER.last]: '1' };
    this.#options.wire.send(this.#message.reply, bytes, ending);
  }

  #sendError(error: TroughError): void {
    const { headers, body } = encodeError(error);
    if (this.#sent === 0) this.#options.wire.send(this.#message.reply, body, headers);
    else this.#sendLast(headers, body);
  }

  /** Waits until one more chunk may be sent. */
  async #window(): Promise<void> {
    while (this.#gone === undefined && this.#sent - this.#acknowledged >= WINDOW) {
      await new Promise<void>((resolve) => {
        this.#wakeWindow = resolve;
      });
    }
    if (this.#gone !== undefined) throw this.#gone;
  }

  /** The time that the asker waits for the first message; on the way, a word to it where it can cancel. */
  #armPatience(): void {
    if (!(this.#patienceMs > 0)) return;
    const { after } = this.#options;
    const late = (): void => {
      this.leave(new TroughError('BUS_TIMEOUT', `no answer within ${String(this.#patienceMs)} ms`));
    };
    if (this.#patienceMs <= WORKING_AFTER_MS) {
      this.#cancelTimer = after(this.#patienceMs, late);
      return;
    }
    this.#cancelTimer = after(WORKING_AFTER_MS, () => {
      this.#cancelTimer = after(this.#patienceMs - WORKING_AFTER_MS, late);
      this.#sign();
    });
  }

  /** Says that the work goes on, now and after each time in which nothing else was said. */
  #sign(): void {
    const { wire, acknowledgements } = this.#options;
    wire.send(this.#message.reply, NOTHING, { [HEADER.working]: '1' }, `${acknowledgements}.0`);
    this.#signLater();
  }

  #signLater(): void {
    this.#cancelSign?.();
    if (!(this.#patienceMs > 0) || this.#gone !== undefined) return;
    this.#cancelSign = this.#options.after(this.#options.workingMs, () => {
      this.#sign();
    });
  }

  #armAcknowledgement(): void {
    this.#disarm();
    if (this.#sent === this.#acknowledged) return;
    this.#cancelTimer = this.#options.after(this.#options.acknowledgeMs, () => {
      const waited = String(this.#options.acknowledgeMs);
      this.leave(new TroughError('BUS_TIMEOUT', `the asker took nothing of the answer for ${waited} ms`));
    });
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- a body in one piece as a body in pieces
async function* onePiece(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}
