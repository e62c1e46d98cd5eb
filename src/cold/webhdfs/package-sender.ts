import { type IncomingMessage } from 'node:http';
import WebHDFS from 'webhdfs';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { type HttpAnswer, type HttpClient } from './http-client.ts';

const DIRECTORY_MODE = '0755';

/** The operations that the package can be trusted to send: one request, one small answer, no options. */
export const BY_PACKAGE = ['MKDIRS', 'DELETE'] as const;
export type ByPackage = (typeof BY_PACKAGE)[number];

export interface PackageRequest {
  readonly op: ByPackage;
  readonly address: string;
  readonly secure: boolean;
  readonly apiPath: string;
  readonly user: string | undefined;
  /** Each part percent-encoded: the package puts it into the address as it is. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends by the package `webhdfs`. Only its sending is used: what it makes of the answer loses the status and the name of the exception, so the whole answer
 * is handed on to be judged here, as every other; and it waits for ever, so the deadline is ours too.
 */
export class PackageSender {
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #answerMs: number;

  constructor(clock: Clock, http: HttpClient, answerMs: number) {
    this.#clock = clock;
    this.#http = http;
    this.#answerMs = answerMs;
  }

  async send(request: PackageRequest, signal?: AbortSignal): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    try {
      return await withDeadline(this.#clock, this.#answerMs, (both) => this.#send(request, both), signal);
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw HdfsProblem.noAnswer(`${request.op} ${request.path} at ${request.address}`, error);
    }
  }

  #send(
    { op, address, secure, apiPath, user, path, headers }: PackageRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { hostname, port } = new URL(`http://${address}`);
    const client = WebHDFS.createClient(
      {
        protocol: secure ? 'https' : 'http',
        host: hostname.replace(/^\[(.*)\]$/, '$1'),
        port: Number(port || 80),
        path: apiPath,
        ...(user === undefined ? {} : { user }),
      },
      { agent: this.#http.agent(secure), headers, followRedirect: false },
    );
    return new Promise((resolve, reject) => {
      // What it makes of the answer comes here; `complete` has the answer itself.
      const ignore = (): void => undefined;
      const sent = op === 'MKDIRS' ? client.mkdir(path, DIRECTORY_MODE, ignore) : client.unlink(path, false, ignore);
      const end = (): void => {
        sent.abort();
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', end, { once: true });
      sent.on('error', reject);
      sent.on('complete', (response, body) => {
        signal.removeEventListener('abort', end);
        resolve(answerOf(response, body));
      });
    });
  }
}

function answerOf(response: IncomingMessage, body: unknown): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.from(text) };
}
