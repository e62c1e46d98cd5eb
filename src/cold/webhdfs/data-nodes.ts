import { type HttpAnswer } from './http-client.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { type NameNodes, type Operation } from './name-nodes.ts';
import { type RetryDeps } from './retrying.ts';

/** A data node is passed over for so long after it did not answer: the name node goes on naming one that died for up to ten minutes. */
const AVOIDED_MS = 60_000;
const ASK_AGAIN = 6;

type NamesToAsk = Pick<NameNodes, 'ask' | 'headersFor' | 'hasAddress'>;

/** Finds a data node for each step that moves a file's bytes, passing over those that did not answer lately. */
export class DataNodes {
  readonly #names: NamesToAsk;
  readonly #clock: RetryDeps['clock'];
  readonly #avoided = new Map<string, number>();

  constructor(names: NamesToAsk, { clock }: Pick<RetryDeps, 'clock'>) {
    this.#names = names;
    this.#clock = clock;
  }

  /** Asks the name node where to go and does `work` there, once. The answer's status is `right`, or it is an HdfsProblem. */
  async at(
    operation: Operation,
    right: number,
    work: (url: URL, headers: Record<string, string>) => Promise<HttpAnswer>,
    signal?: AbortSignal,
  ): Promise<HttpAnswer> {
    const place = await this.#locate(operation, signal);
    if (!(place instanceof URL)) return place;
    try {
      const answer = await work(place, await this.#names.headersFor(place));
      if (answer.status === right) return answer;
      throw HdfsProblem.answered(`${operation.op} ${operation.path} at ${place.host}`, answer.status, answer.body);
    } catch (error) {
      if (error instanceof HdfsProblem && error.status === undefined) this.#avoid(place.host);
      throw error;
    }
  }

  async #locate(operation: Operation, signal?: AbortSignal): Promise<URL | HttpAnswer> {
    for (let asked = 1; ; asked += 1) {
      const place = await this.#ask(operation, signal);
      if (!(place instanceof URL) || asked >= ASK_AGAIN || !this.#isAvoided(place.host)) return place;
    }
  }

  /** With the hosts that did not answer excluded, unless none is left then. */
  async #ask(operation: Operation, signal?: AbortSignal): Promise<URL | HttpAnswer> {
    // Asked for the address in so many words: a gateway would answer some operations at once, with a whole file.
    // Tried once: whoever moves the bytes tries again from here.
    const plain = { ...operation, params: { ...operation.params, noredirect: true }, attempts: 1 };
    const read = (answer: HttpAnswer): URL | HttpAnswer => redirection(operation, answer);
    const avoided = [...this.#avoided.keys()].filter((host) => this.#isAvoided(host));
    if (avoided.length === 0) return this.#names.ask(plain, read, signal);
    const hosts = new Set(avoided.map((host) => host.replace(/:\d+$/, '')));
    try {
      const params = { ...plain.params, excludedatanodes: [...hosts].join(',') };
      return await this.#names.ask({ ...plain, params }, read, signal);
    } catch (error) {
      if (!(error instanceof HdfsProblem)) throw error;
      return this.#names.ask(plain, read, signal);
    }
  }

  /** A gateway stands for all of them: passing it over would leave none. */
  #avoid(host: string): void {
    if (this.#names.hasAddress(host)) return;
    this.#avoided.set(host, this.#clock.monotonic() + AVOIDED_MS);
  }

  #isAvoided(host: string): boolean {
    const until = this.#avoided.get(host);
    if (until === undefined) return false;
    if (until > this.#clock.monotonic()) return true;
    this.#avoided.delete(host);
    return false;
  }
}

/** Where an answer sends us on to; the answer itself where a gateway has done all of it. */
function redirection({ op, path }: Operation, answer: HttpAnswer): URL | HttpAnswer {
  const header = answer.headers['location'];
  try {
    if (answer.status >= 300 && typeof header === 'string') return new URL(header);
    const told = JSON.parse(answer.body.toString('utf8')) as { Location?: unknown; FileChecksum?: unknown };
    if (typeof told.Location === 'string') return new URL(told.Location);
    if (told.FileChecksum !== undefined) return answer;
  } catch (error) {
    throw HdfsProblem.noAnswer(`${op} ${path}: the answer ${String(answer.status)} cannot be read`, error);
  }
  throw HdfsProblem.untrue(`${op} ${path}: the answer ${String(answer.status)} names no data node`);
}
