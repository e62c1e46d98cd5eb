import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as SecureAgent, request as httpsRequest } from 'node:https';
import { z } from 'zod';
import { TroughError } from '../errors.ts';
import { formatExactJson, parseExactJson } from '../model/exact-json.ts';

export interface ClientUrls {
  readonly read: string;
  readonly write: string;
  readonly manager: string;
}
export type Face = keyof ClientUrls;

export interface Call {
  readonly face: Face;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** Sent as JSON; a string or bytes as they are. */
  readonly body?: unknown;
  /** For the whole answer, its body included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const ErrorReply = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  }),
});

/** Speaks HTTP with a cluster. Errors of the cluster come out as it reported them; NODE_UNAVAILABLE: nothing answers there; BUS_TIMEOUT: too late. */
export class Client implements Disposable {
  readonly urls: ClientUrls;
  readonly #agents: { readonly http: Agent; readonly https: SecureAgent };

  constructor(urls: ClientUrls, parallel = 1) {
    this.urls = urls;
    const options = { keepAlive: true, maxSockets: parallel };
    this.#agents = { http: new Agent(options), https: new SecureAgent(options) };
  }

  [Symbol.dispose](): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  /** The answer's JSON, checked against `shape`; integers beyond 2^53 are bigints. */
  async json<T>(call: Call, shape: z.ZodType<T>): Promise<T> {
    const text = await this.text(call);
    try {
      return shape.parse(parseExactJson(text));
    } catch (error) {
      throw new TroughError(
        'INTERNAL',
        `${this.#urlOf(call)} did not answer as trough does: is it trough's ${call.face} port?`,
        {},
        error,
      );
    }
  }

  async text(call: Call): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.stream(call)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** The answer's body as it arrives; an answer that is cut off throws. Leaving the loop early ends the request. */
  async *stream(call: Call): AsyncGenerator<Uint8Array, void, undefined> {
    const timeout = AbortSignal.timeout(call.timeoutMs);
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
    try {
      const answer = await this.#send(call, signal);
      if ((answer.statusCode ?? 500) >= 400) throw await errorOf(answer, this.#urlOf(call));
      for await (const chunk of answer) yield chunk as Uint8Array;
    } catch (error) {
      throw this.#explain(call, error, timeout);
    }
  }

  #send(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const url = this.#urlOf(call);
    const isBytes = typeof call.body === 'string' || call.body instanceof Uint8Array;
    const body =
      call.body === undefined ? undefined : Buffer.from(isBytes ? (call.body as string) : formatExactJson(call.body));
    const headers: Record<string, string | number> = { 'content-length': body?.length ?? 0 };
    if (body !== undefined) headers['content-type'] = isBytes ? 'application/sql; charset=utf-8' : 'application/json';
    const isSecure = url.startsWith('https:');
    return new Promise((resolve, reject) => {
      const options = {
        method: call.method,
        headers,
        signal,
        agent: isSecure ? this.#agents.https : this.#agents.http,
      };
      const request = isSecure ? httpsRequest(url, options) : httpRequest(url, options);
      request.once('response', resolve);
      request.once('error', reject);
      request.end(body);
    });
  }

  #urlOf(call: Call): string {
    return this.urls[call.face].replace(/\/$/, '') + call.path;
  }

  #explain(call: Call, error: unknown, timeout: AbortSignal): TroughError {
    if (error instanceof TroughError) return error;
    const base = this.urls[call.face];
    if (timeout.aborted) {
      return new TroughError(
        'BUS_TIMEOUT',
        `no answer from ${base} within ${String(call.timeoutMs / 1_000)} s`,
        {},
        error,
      );
    }
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ECONNREFUSED') {
      return new TroughError(
        'NODE_UNAVAILABLE',
        `nothing listens at ${base}; start trough, or pass --${call.face}-url`,
        {},
        error,
      );
    }
    const reason =
      code === 'ECONNRESET' ? 'the connection was cut before the answer was complete' : TroughError.from(error).message;
    return new TroughError('NODE_UNAVAILABLE', `${base}: ${reason}`, {}, error);
  }
}

async function errorOf(answer: IncomingMessage, url: string): Promise<TroughError> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer) chunks.push(chunk as Uint8Array);
  const text = Buffer.concat(chunks).toString('utf8');
  const status = String(answer.statusCode);
  const parsed = ErrorReply.safeParse(jsonOrUndefined(text));
  if (parsed.success) return TroughError.fromRecord(parsed.data.error);
  const code = answer.headers['trough-error'];
  if (typeof code !== 'string') return new TroughError('INTERNAL', `${url} answered ${status} and not as trough does`);
  const isPage = answer.headers['content-type']?.startsWith('text/html') === true;
  const message = isPage ? paragraphOf(text) : text.replace(/^500 Server Error: /, '').trim();
  return TroughError.fromRecord({ code, message: message || `answered ${status}` });
}

/** The original's manager says what is wrong in a small HTML page. */
function paragraphOf(page: string): string {
  const text = /<p>([^]*?)<\/p>/i.exec(page)?.[1] ?? '';
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '').trim();
}

function jsonOrUndefined(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}
