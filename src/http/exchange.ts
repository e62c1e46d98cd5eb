import { type IncomingMessage, type ServerResponse } from 'node:http';
import { TroughError } from '../errors.ts';

/** What a whole answer consists of. */
export interface WholeAnswer {
  readonly status: number;
  readonly reason?: string;
  readonly type: string;
  readonly body: string | Buffer;
  /** Further headers: name, value, name, value, … */
  readonly headers?: readonly string[];
}

export interface AnswerInParts {
  readonly type: string;
  readonly headers: readonly string[];
  readonly before: string;
  readonly rows: Uint8Array;
  readonly after: string;
  /** The system has taken all of it: `rows` may change. Not called when the client has gone before that. */
  readonly onLeft?: (() => void) | undefined;
}

const NO_BODY = Buffer.alloc(0);
/** How long the rest of a body that is too large is read and dropped, so that the client gets to read its answer. */
const LINGER_MS = 5_000;
/** What is smaller leaves this process at once, whatever the client does. */
const PATIENT_BYTES = 64 * 1024;

export interface ExchangeLimits {
  readonly bodyLimitBytes: number;
  /** A client that takes nothing for so long, although there is something for it, is cut off. */
  readonly patienceMs: number;
}

/** One request and its answer. The handler calls `send`, or writes to `response` itself and ends it. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly method: string;
  /** As it came: not decoded, without the query. */
  readonly path: string;
  /** What follows the first `?`, as it came. */
  readonly query: string;
  /** For metrics: a template, never the path itself. */
  route = 'other';
  readonly #limits: ExchangeLimits;
  readonly #gone = new AbortController();
  readonly #onEnd: (exchange: Exchange) => void;
  #leaveBody: (() => void) | undefined;
  #tooLarge = false;

  /** `onEnd` is told once, when the answer has left or the client has gone. */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    limits: ExchangeLimits,
    onEnd: (exchange: Exchange) => void,
  ) {
    this.request = request;
    this.response = response;
    this.#limits = limits;
    this.#onEnd = onEnd;
    this.method = request.method ?? 'GET';
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? '' : url.slice(mark + 1);
    // A write after the client has gone is an 'error' here; 'close' has told it already.
    response.on('error', ignore);
    // `on` where `once` would do, here and below: 'close' and 'end' come once by themselves, and `once` costs a closure and a search for it.
    response.on('close', this.#close);
  }

  readonly #close = (): void => {
    this.#leaveBody?.();
    if (!this.response.writableFinished) this.#gone.abort();
    this.#onEnd(this);
  };

  /** Aborts when the client goes away, or is cut off, before the answer is complete. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** REQUEST_TOO_LARGE beyond the limit; ENGINE_CANCELLED when the client goes away. Call it once. */
  body(): Promise<Buffer> {
    const { headers } = this.request;
    const declared = headers['content-length'];
    if (headers['transfer-encoding'] === undefined && (declared === undefined || declared === '0')) {
      return Promise.resolve(NO_BODY);
    }
    if (declared !== undefined && Number(declared) > this.#limits.bodyLimitBytes) return Promise.reject(this.#refuse());
    return this.#collect();
  }

  #collect(): Promise<Buffer> {
    const { request } = this;
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let sizeBytes = 0;
      const take = (part: Buffer): void => {
        sizeBytes += part.length;
        if (sizeBytes <= this.#limits.bodyLimitBytes) {
          parts.push(part);
          return;
        }
        request.off('data', take);
        reject(this.#refuse());
      };
      request.on('data', take);
      request.on('end', () => {
        const [first] = parts;
        resolve(parts.length === 1 && first !== undefined ? first : Buffer.concat(parts, sizeBytes));
      });
      this.#leaveBody = (): void => {
        if (!request.readableEnded) reject(new TroughError('ENGINE_CANCELLED', 'the client went away'));
      };
      request.on('error', this.#leaveBody);
    });
  }

  #refuse(): TroughError {
    this.#tooLarge = true;
    this.request.resume();
    const limitBytes = this.#limits.bodyLimitBytes;
    return new TroughError('REQUEST_TOO_LARGE', `the request body is larger than ${String(limitBytes)} bytes`, {
      limitBytes,
    });
  }

  /** Ends the exchange with one whole answer, in one write. */
  send(answer: WholeAnswer): void {
    const { response } = this;
    if (response.destroyed || response.headersSent) return;
    const { status, body } = answer;
    const headers = ['Content-Type', answer.type];
    const sizeBytes = Buffer.byteLength(body);
    if (status !== 204) headers.push('Content-Length', String(sizeBytes));
    this.sends(sizeBytes);
    if (answer.headers !== undefined) headers.push(...answer.headers);
    if (answer.reason === undefined) response.writeHead(status, headers);
    else response.writeHead(status, answer.reason, headers);
    if (this.#tooLarge) this.#endLate(body);
    else response.end(body);
  }

  /** Ends the exchange with one whole answer that is large: nothing of it is copied. */
  sendInParts({ type, headers, before, rows, after, onLeft }: AnswerInParts): void {
    const { response } = this;
    if (response.destroyed || response.headersSent) return;
    const sizeBytes = Buffer.byteLength(before) + rows.length + Buffer.byteLength(after);
    this.sends(sizeBytes);
    response.writeHead(200, ['Content-Type', type, 'Content-Length', String(sizeBytes), ...headers]);
    response.cork();
    response.write(before);
    response.write(rows);
    response.end(after, onLeft);
    response.uncork();
  }

  /** To be called before so much is written at once, and with Infinity before a stream: its client may not keep it here for ever. */
  sends(bytes: number): void {
    // The server hears of it. After the answer, the time for idle connections counts again.
    if (bytes >= PATIENT_BYTES) this.request.socket.setTimeout(this.#limits.patienceMs);
  }

  /** Closing a connection on which bytes are still coming in would reset it, and the client would lose the answer. */
  #endLate(body: string | Buffer): void {
    const { request, response } = this;
    response.write(body);
    const timer = setTimeout(() => request.destroy(), LINGER_MS);
    const end = (): void => {
      clearTimeout(timer);
      response.end();
    };
    if (request.readableEnded) end();
    else request.once('end', end);
    response.once('close', () => {
      clearTimeout(timer);
    });
  }

  /**
   * For an answer that failed half-way: what was written still leaves, if the client takes it soon, then the connection ends without the end of
   * the body, so that the client cannot take it for complete.
   */
  cutOff(): void {
    const { response } = this;
    if (response.socket === null) {
      response.destroy();
      return;
    }
    response.flushHeaders();
    response.socket.destroySoon();
    this.endsSoon();
  }

  /** What was written leaves within a while, or not at all. */
  endsSoon(): void {
    const { response } = this;
    const timer = setTimeout(() => response.destroy(), LINGER_MS);
    response.once('close', () => {
      clearTimeout(timer);
    });
  }
}

function ignore(): void {
  return;
}

/** Rejects, never throws, with what is a mistake of its own; what it answers is its affair. */
export type HttpHandler = (exchange: Exchange) => Promise<void>;
