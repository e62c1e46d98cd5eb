import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { coldFailure } from './cold-failure.ts';
import { type FetchedKnown } from './cold-store.ts';
import { type FetchAnswer, type FetchChildArguments, type FetchMessage, type FetchOrder } from './fetch-orders.ts';
import { discardCopy } from './file-copy.ts';

/** Node runs the sources as they are in tests, and what was built from them elsewhere. */
const ENTRY = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './fetch-child.ts' : './fetch-child.js', import.meta.url),
);

export interface FetchProcessOptions {
  /** The node binary that runs it. */
  readonly nodePath: string;
  readonly given: FetchChildArguments;
  /** Without anything to fetch it is ended after this, and started again by the next fetch. */
  readonly idleMs: number;
}

interface Running {
  readonly child: ChildProcess;
  readonly order: FetchOrder;
  readonly resolve: (fetched: FetchedKnown) => void;
  readonly reject: (error: unknown) => void;
}

/** A process of low priority that fetches files from cold storage, many at a time. It is started by the first fetch, and ends with its parent. */
export class FetchProcess implements AsyncDisposable {
  readonly #options: FetchProcessOptions;
  readonly #log: Log;
  readonly #running = new Map<number, Running>();
  readonly #endings = new Set<Promise<void>>();
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastCall = 0;
  #isStopped = false;

  constructor(options: FetchProcessOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** As `ColdStore.fetch`. COLD_FAILED too when the process dies meanwhile; then nothing is left of what it had begun. */
  async fetch(order: FetchOrder, signal?: AbortSignal): Promise<FetchedKnown> {
    if (signal?.aborted === true) throw coldFailure(signal.reason, `fetching ${order.id}`, order.to);
    if (this.#isStopped) throw ended(order, 'it was stopped');
    clearTimeout(this.#idle);
    const child = (this.#child ??= this.#start(order));
    this.#lastCall += 1;
    const call = this.#lastCall;
    const { promise, resolve, reject } = Promise.withResolvers<FetchedKnown>();
    this.#running.set(call, { child, order, resolve, reject });
    send(child, { kind: 'fetch', call, order });
    // It answers what is cancelled too: until then it may be writing.
    const cancel = (): void => {
      send(child, { kind: 'cancel', call });
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** What it is fetching fails, and leaves nothing behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#end();
    await Promise.all(this.#endings);
  }

  #start(order: FetchOrder): ChildProcess {
    const child = this.#fork(order);
    const gone = Promise.withResolvers<string>();
    child.once('exit', (code, signal) => {
      gone.resolve(signal ?? `exit code ${String(code)}`);
    });
    child.on('error', (error) => {
      // One that could not be started has no exit; one that cannot be spoken to is of no use.
      if (child.pid === undefined) gone.resolve(error.message);
      else child.kill('SIGKILL');
    });
    child.on('message', (answer: FetchAnswer) => {
      this.#take(answer);
    });
    const ending = gone.promise.then((reason) => this.#gone(child, reason));
    this.#endings.add(ending);
    void ending.then(() => this.#endings.delete(ending));
    return child;
  }

  /** Of what keeps the system from starting a process, Node throws some and tells of the rest later. */
  #fork(order: FetchOrder): ChildProcess {
    const { nodePath: execPath, given } = this.#options;
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    try {
      return fork(ENTRY, [JSON.stringify(given)], {
        execPath,
        execArgv,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
    } catch (error) {
      throw coldFailure(error, 'starting the process that fetches copies', order.to);
    }
  }

  #take(answer: FetchAnswer): void {
    const running = this.#running.get(answer.call);
    if (running === undefined) return;
    this.#running.delete(answer.call);
    this.#restLater();
    if ('fetched' in answer) running.resolve(answer.fetched);
    else running.reject(TroughError.fromRecord(answer.error));
  }

  #restLater(): void {
    if (this.#running.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#end();
    }, this.#options.idleMs).unref();
  }

  /** Nothing in it is worth an orderly end. */
  #end(): void {
    clearTimeout(this.#idle);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #gone(child: ChildProcess, reason: string): Promise<void> {
    if (this.#child === child) this.#child = undefined;
    const lost = Array.from(this.#running).filter(([, running]) => running.child === child);
    for (const [call] of lost) this.#running.delete(call);
    if (lost.length === 0) return;
    if (!this.#isStopped) {
      this.#log.error({ pid: child.pid, reason, fetches: lost.length }, 'the process that fetches copies died');
    }
    await Promise.all(lost.map(([, running]) => giveUp(running, reason)));
  }
}

/** What cannot be sent was for a process that is gone, or about to be: its end is told of by itself. */
function send(child: ChildProcess, message: FetchMessage): void {
  child.send(message, () => undefined);
}

async function giveUp({ order, reject }: Running, reason: string): Promise<void> {
  try {
    await discardCopy(order.to);
    reject(ended(order, reason));
  } catch (error) {
    reject(coldFailure(error, `clearing up after ${order.id}`, order.to));
  }
}

function ended({ id, to }: FetchOrder, reason: string): TroughError {
  const message = `fetching ${id} was not finished: the process that fetches copies is gone (${reason})`;
  return new TroughError('COLD_FAILED', message, { segment: id, path: to });
}
