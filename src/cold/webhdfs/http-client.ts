import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { Pace } from './pace.ts';
import { type HdfsTimes } from './webhdfs-options.ts';

/** The longest answer that is no file: one page of a listing, with names of 255 characters. */
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;
const IDLE_CONNECTIONS = 32;

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** For people: what it is for. */
  readonly doing: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What a file's bytes are handed to, in order. */
export type Sink = (piece: Buffer) => Promise<void>;

/**
 * HTTP/1.1 with a deadline for each phase, on node:http: other clients of Node end a connection on which the server says "100 Continue" unasked, as data
 * nodes do. Every failure to get an answer is an HdfsProblem, except the caller's own abort, which is thrown as it is.
 */
export class HttpClient implements Disposable {
  readonly #clock: Clock;
  readonly #times: HdfsTimes;
  readonly #plain = new Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS });
  readonly #secure: SecureAgent;

  constructor(clock: Clock, times: HdfsTimes, ca?: string) {
    this.#clock = clock;
    this.#times = times;
    this.#secure = new SecureAgent({
      keepAlive: true,
      maxFreeSockets: IDLE_CONNECTIONS,
      ...(ca === undefined ? {} : { ca }),
    });
  }

  [Symbol.dispose](): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  /** Of its connections, for others that speak HTTP here. */
  agent(secure: boolean): Agent {
    return secure ? this.#secure : this.#plain;
  }

  /** A request without a body and its whole answer. */
  ask(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer> {
    return this.#problems(request, signal, () =>
      withDeadline(
        this.#clock,
        this.#times.answerMs,
        async (both) => {
          const sent = this.#start(request, both);
          sent.end();
          return readAnswer(await answerOf(sent));
        },
        signal,
      ),
    );
  }

  /**
   * Sends `sizeBytes` bytes. Of two pieces in succession each has to keep its bytes; the one before them may be overwritten.
   * An answer that comes before all were sent ends the sending.
   */
  send(
    request: HttpRequest,
    sizeBytes: number,
    pieces: AsyncIterable<Buffer>,
    signal?: AbortSignal,
  ): Promise<HttpAnswer> {
    return this.#problems(request, signal, async () => {
      const limit = this.#limit(signal);
      const headers = { ...request.headers, 'content-length': String(sizeBytes) };
      const sent = this.#start({ ...request, headers }, limit.signal);
      try {
        const answered = answerOf(sent);
        {
          using pace = limit.pace();
          await sendPieces(sent, answered, pieces, pace, limit.signal);
        }
        return await limit.inTime(async () => readAnswer(await answered));
      } finally {
        sent.destroy();
      }
    });
  }

  /** Hands the bytes of an answer 200 to `sink`; for any other status it is an answer with its body. The length that was announced has arrived, or it is a problem. */
  receive(request: HttpRequest, sink: Sink, signal?: AbortSignal): Promise<HttpAnswer> {
    return this.#problems(request, signal, async () => {
      const limit = this.#limit(signal);
      const sent = this.#start(request, limit.signal);
      try {
        sent.end();
        const response = await limit.inTime(() => answerOf(sent));
        if (response.statusCode !== 200) return await limit.inTime(() => readAnswer(response));
        using pace = limit.pace();
        const received = await receivePieces(response, sink, pace);
        const announced = response.headers['content-length'];
        if (announced !== undefined && Number(announced) !== received) {
          throw HdfsProblem.untrue(`${request.doing}: ${String(received)} of ${announced} bytes arrived`);
        }
        return { status: 200, headers: response.headers, body: NOTHING };
      } finally {
        sent.destroy();
      }
    });
  }

  /** What ends a transfer: the caller's signal, too slow a pace, and no answer where no bytes can tell of progress. */
  #limit(signal: AbortSignal | undefined): {
    readonly signal: AbortSignal;
    pace(): Pace;
    inTime<T>(wait: () => Promise<T>): Promise<T>;
  } {
    const late = new AbortController();
    const end = (message: string): void => {
      late.abort(new DOMException(message, 'TimeoutError'));
    };
    const { paceMs, paceBytes, answerMs } = this.#times;
    return {
      signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
      pace: () =>
        new Pace(this.#clock, this.#times, () => {
          end(`fewer than ${String(paceBytes)} bytes went through in ${String(paceMs)} ms`);
        }),
      inTime: async (wait) => {
        const cancel = this.#clock.after(answerMs, () => {
          end(`no answer within ${String(answerMs)} ms`);
        });
        try {
          return await wait();
        } finally {
          cancel();
        }
      },
    };
  }

  /** The request's own deadline is for the connection; what comes after has others. */
  #start({ url, method, headers }: HttpRequest, signal: AbortSignal): ClientRequest {
    const options = { method, headers: { accept: '*/*', ...headers }, signal };
    const isSecure = url.protocol === 'https:';
    const sent = (isSecure ? requestHttps : requestHttp)(url, { ...options, agent: this.agent(isSecure) });
    this.#limitConnecting(sent);
    return sent;
  }

  #limitConnecting(sent: ClientRequest): void {
    const { connectMs } = this.#times;
    const cancel = this.#clock.after(connectMs, () => {
      sent.destroy(new Error(`no connection within ${String(connectMs)} ms`));
    });
    sent.once('socket', (socket) => {
      const isSecure = 'encrypted' in socket;
      if (!socket.connecting && (!isSecure || sent.reusedSocket)) cancel();
      else socket.once(isSecure ? 'secureConnect' : 'connect', cancel);
    });
    sent.once('close', cancel);
  }

  async #problems<T>(request: HttpRequest, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await work();
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (error instanceof OurEnd) throw error.cause;
      if (error instanceof HdfsProblem) throw error;
      throw HdfsProblem.noAnswer(`${request.doing} at ${request.url.host}`, reasonOf(error));
    }
  }
}

const NOTHING = Buffer.alloc(0);

/** What the file at our end of a transfer threw: no failure of the other side. */
class OurEnd extends Error {}

function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.on('error', reject);
  });
  // Who still sends looks at it later.
  answered.catch(() => undefined);
  return answered;
}

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    pieces.push(piece);
    size += piece.length;
    if (size > MOST_ANSWER_BYTES) throw new Error(`an answer of more than ${String(MOST_ANSWER_BYTES)} bytes`);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) };
}

async function sendPieces(
  sent: ClientRequest,
  answered: Promise<IncomingMessage>,
  pieces: AsyncIterable<Buffer>,
  pace: Pace,
  signal: AbortSignal,
): Promise<void> {
  const early = { is: false };
  const notice = (): void => {
    early.is = true;
  };
  answered.then(notice, notice);
  const ended = Promise.race([answered, once(sent, 'close', { signal })]);
  ended.catch(() => undefined);
  let before: Promise<unknown> = Promise.resolve();
  for await (const piece of ours(pieces)) {
    await before;
    if (early.is) return;
    before = Promise.race([written(sent, piece), ended]);
    // It is waited for with the next piece; what is wrong with it is seen then.
    before.catch(() => undefined);
    pace.moved(piece.length);
  }
  await before;
  if (early.is) return;
  sent.end();
}

/** Resolves when the piece may be overwritten. */
function written(sent: ClientRequest, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sent.write(piece, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

async function receivePieces(response: IncomingMessage, sink: Sink, pace: Pace): Promise<number> {
  let received = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    try {
      await sink(piece);
    } catch (error) {
      throw new OurEnd('the sink failed', { cause: error });
    }
    received += piece.length;
    pace.moved(piece.length);
  }
  return received;
}

async function* ours(pieces: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  try {
    yield* pieces;
  } catch (error) {
    throw new OurEnd('the source failed', { cause: error });
  }
}

/** An AbortError says nothing; its cause says which limit it was. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.name === 'AbortError' && error.cause !== undefined ? error.cause : error;
}
