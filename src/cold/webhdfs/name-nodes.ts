import { HdfsProblem } from './hdfs-problem.ts';
import { type HttpAnswer, type HttpClient, type HttpRequest } from './http-client.ts';
import { BY_PACKAGE, PackageSender } from './package-sender.ts';
import { pauseOrThrow, type RetryDeps, retrying } from './retrying.ts';

export interface NameNodesDeps extends RetryDeps {
  readonly http: HttpClient;
  /** `host:port`; at most one is active. */
  readonly addresses: readonly string[];
  readonly secure: boolean;
  /** Path of the API, without a slash at its end. */
  readonly apiPath: string;
  readonly user: string | undefined;
  /** The header Authorization, where there is one. `refused`: the last one was. */
  readonly authorization: (refused: boolean) => Promise<string | undefined>;
}

export interface Operation {
  readonly method: HttpRequest['method'];
  readonly op: string;
  /** Absolute, as HDFS has it. */
  readonly path: string;
  /** Spelled in lower case: Hadoop 3.5 takes no notice of others. */
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  /** False: an answer that was lost is not asked for again, since the operation may have been done. */
  readonly repeatable?: boolean;
  /** How often in all; default as the times say. */
  readonly attempts?: number;
}

const RIGHT: ReadonlySet<number> = new Set([200, 201, 307, 302, 303]);

/** Asks the active name node, and finds out which one that is. */
export class NameNodes {
  readonly #deps: NameNodesDeps;
  readonly #package: PackageSender;
  #active = 0;
  #skewMs = 0;

  constructor(deps: NameNodesDeps) {
    this.#deps = deps;
    this.#package = new PackageSender(deps.clock, deps.http, deps.times.answerMs);
  }

  /** By the clock of the name node that answered last, as of a second ago at most. */
  nowMs(): number {
    return this.#deps.clock.now() + this.#skewMs;
  }

  /** What `read` makes of an answer that says yes, a redirect included; everything else is an HdfsProblem. Tried again, and at the other name nodes, where that may help. */
  async ask<T>(operation: Operation, read: (answer: HttpAnswer) => T, signal?: AbortSignal): Promise<T> {
    const { addresses, times } = this.#deps;
    const mayRepeat = ({ retry, unknown }: HdfsProblem): boolean =>
      retry !== 'no' && (!unknown || operation.repeatable !== false);
    return retrying(
      { ...this.#deps, times: { ...times, attempts: operation.attempts ?? times.attempts } },
      async () => {
        for (let asked = 1; ; asked += 1) {
          const address = addresses[this.#active % addresses.length] ?? '';
          try {
            return read(await this.#askOne(address, operation, signal));
          } catch (error) {
            if (!(error instanceof HdfsProblem) || error.retry !== 'elsewhere' || !mayRepeat(error)) throw error;
            this.#leave(address);
            if (asked >= addresses.length) throw error;
            await pauseOrThrow(this.#deps.clock, this.#deps.times.pauseMs / 10, signal);
          }
        }
      },
      signal,
      mayRepeat,
    );
  }

  /** Whether this `host:port` is one of those that are asked. */
  hasAddress(host: string): boolean {
    return this.#deps.addresses.includes(host);
  }

  /** The header Authorization, for our own addresses alone. */
  async headersFor(url: URL): Promise<Record<string, string>> {
    const isOurs = this.#deps.addresses.some((address) => new URL(`http://${address}`).hostname === url.hostname);
    const authorization = isOurs ? await this.#deps.authorization(false) : undefined;
    return authorization === undefined ? {} : { authorization };
  }

  async #askOne(address: string, operation: Operation, signal?: AbortSignal): Promise<HttpAnswer> {
    const { authorization } = this.#deps;
    const doing = `${operation.op} ${operation.path}`;
    for (let refused = false; ; refused = true) {
      const header = await authorization(refused);
      const headers = header === undefined ? {} : { authorization: header };
      const answer = await this.#send(address, operation, headers, doing, signal);
      this.#readDate(answer);
      if (RIGHT.has(answer.status)) return answer;
      const isNewTry = answer.status === 401 && !refused && header !== undefined;
      if (!isNewTry) throw HdfsProblem.answered(doing, answer.status, answer.body);
    }
  }

  async #send(
    address: string,
    operation: Operation,
    headers: Record<string, string>,
    doing: string,
    signal?: AbortSignal,
  ): Promise<HttpAnswer> {
    const { http, secure, apiPath, user } = this.#deps;
    const { method, op } = operation;
    const byPackage = BY_PACKAGE.find((known) => known === op);
    if (byPackage !== undefined) {
      const path = encodePath(operation.path);
      return this.#package.send({ op: byPackage, address, secure, apiPath, user, path, headers }, signal);
    }
    // HttpFS demands the type of what writes, also in the first step.
    const writing = { 'content-type': 'application/octet-stream', 'content-length': '0' };
    const url = this.#url(address, operation);
    return http.ask({ method, url, headers: method === 'GET' ? headers : { ...writing, ...headers }, doing }, signal);
  }

  #url(address: string, { op, path, params }: Operation): URL {
    const { secure, apiPath, user } = this.#deps;
    const url = new URL(`${secure ? 'https' : 'http'}://${address}${apiPath}${encodePath(path)}`);
    url.searchParams.set('op', op);
    if (user !== undefined) url.searchParams.set('user.name', user);
    for (const [name, value] of Object.entries(params ?? {})) url.searchParams.set(name, String(value));
    return url;
  }

  #leave(address: string): void {
    const { addresses } = this.#deps;
    // Another request may have gone on to the next one meanwhile.
    if (addresses[this.#active % addresses.length] === address) this.#active += 1;
  }

  #readDate({ headers }: HttpAnswer): void {
    const dateMs = typeof headers['date'] === 'string' ? Date.parse(headers['date'].slice(0, 29)) : NaN;
    if (!Number.isNaN(dateMs)) this.#skewMs = dateMs - this.#deps.clock.now();
  }
}

/** `.` and `..` would be folded away before the server sees them: such names are refused. */
function encodePath(path: string): string {
  const segments = path.split('/').slice(1);
  const folded = segments.find((segment) => segment === '.' || segment === '..');
  if (folded !== undefined) throw HdfsProblem.answered(`the path ${path}`, 400, Buffer.from(`'${folded}' in it`));
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
}
