import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { Backoff } from '../runtime/backoff.ts';
import { type Clock } from '../runtime/clock.ts';
import { type DirectoryLock, lockDirectory } from '../runtime/directory-lock.ts';
import { systemProcesses } from '../runtime/process-table.ts';
import { clearPortsFiles, NatsServerChild } from './nats-server-child.ts';
import { renderNatsServerConfig } from './nats-server-config.ts';
import { endOrphanServers } from './nats-server-orphans.ts';

const RESTART_BACKOFF = { firstMs: 100, mostMs: 5_000 };
/** A run at least this long makes the next restart a quick one again. */
const LONG_RUN_MS = 30_000;
const STOP_GRACE_MS = 10_000;
/** The most that NATS recommends: a transaction is one message of the journal. */
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

export interface NatsServerOptions {
  /** Path of the program; `findNatsServer` knows it. */
  readonly binary: string;
  /** The store is `<dataDir>/nats`. */
  readonly dataDir: string;
  /** 0: any free one, which is kept over restarts. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
  /** Default 8 MiB. */
  readonly maxPayloadBytes?: number;
}

/** A nats-server of our own: restarted when it dies, until it is disposed of. */
export interface NatsServer extends AsyncDisposable {
  /** `nats://host:port`, the same for its whole life. */
  readonly url: string;
  /** Of the present run; undefined between two runs. */
  readonly pid: number | undefined;
  /** Calls `listener` each time a new run is ready; the returned function ends that. */
  onRestart(listener: () => void): () => void;
}

/**
 * Locks the store, ends a server that an earlier, killed trough left on it, starts the server, and waits until it listens with its store
 * recovered. Errors: DATA_DIRECTORY_IN_USE, DATA_DIRECTORY_UNUSABLE, PORT_IN_USE, NATS_SERVER_FAILED.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { clock, log } = options;
  const lock = await lockDirectory(join(options.dataDir, 'nats'), { clock, log, what: 'store of nats-server' });
  try {
    await endOrphanServers(configFile(lock), { clock, log, processes: systemProcesses });
    return await NatsServerKeeper.start(options, lock);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw TroughError.from(error, 'NATS_SERVER_FAILED');
  }
}

class NatsServerKeeper implements NatsServer {
  readonly #options: NatsServerOptions;
  readonly #host: string;
  readonly #lock: DirectoryLock;
  readonly #listeners = new Set<() => void>();
  readonly #backoff: Backoff;
  readonly #stopRequest = Promise.withResolvers<undefined>();
  #port: number;
  #child: NatsServerChild | undefined;
  #stopped: Promise<void> | undefined;
  #keeping: Promise<void> = Promise.resolve();

  static async start(options: NatsServerOptions, lock: DirectoryLock): Promise<NatsServerKeeper> {
    const keeper = new NatsServerKeeper(options, lock);
    const child = await keeper.#run();
    keeper.#keeping = keeper.#keep(child);
    return keeper;
  }

  private constructor(options: NatsServerOptions, lock: DirectoryLock) {
    this.#options = options;
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port;
    this.#lock = lock;
    this.#backoff = new Backoff(RESTART_BACKOFF, options.random);
  }

  get url(): string {
    return `nats://${this.#host}:${String(this.#port)}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  onRestart(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  #isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  async #stop(): Promise<void> {
    this.#stopRequest.resolve(undefined);
    await this.#child?.stop(STOP_GRACE_MS);
    await this.#keeping;
    await this.#lock[Symbol.asyncDispose]();
  }

  /** One run, up to ready; a run that does not get there is ended first. */
  async #run(): Promise<NatsServerChild> {
    const { binary, clock, log, maxPayloadBytes = MAX_PAYLOAD_BYTES } = this.#options;
    const directory = this.#lock.path;
    const file = configFile(this.#lock);
    await clearPortsFiles(directory);
    await writeFile(
      `${file}.new`,
      renderNatsServerConfig({ host: this.#host, port: this.#port, directory, maxPayloadBytes }),
    );
    await rename(`${file}.new`, file);
    if (this.#isStopping()) throw new TroughError('STOPPING', 'nats-server is being stopped');
    const child = new NatsServerChild(binary, file, directory, clock);
    this.#child = child;
    try {
      this.#port = await child.ready(this.#host, () => this.#isStopping());
    } catch (error) {
      await child.stop(STOP_GRACE_MS);
      this.#child = undefined;
      throw error;
    }
    log.info({ pid: child.pid, url: this.url }, 'nats-server is ready');
    return child;
  }

  async #keep(first: NatsServerChild): Promise<void> {
    let child: NatsServerChild | undefined = first;
    while (child !== undefined) {
      const began = this.#options.clock.monotonic();
      const exit = await child.exited;
      this.#child = undefined;
      if (this.#isStopping()) return;
      if (this.#options.clock.monotonic() - began >= LONG_RUN_MS) this.#backoff.reset();
      this.#options.log.error(exit, 'nats-server died and is started again');
      child = await this.#restart();
    }
  }

  async #restart(): Promise<NatsServerChild | undefined> {
    for (;;) {
      await this.#pause(this.#backoff.next());
      if (this.#isStopping()) return undefined;
      try {
        const child = await this.#run();
        for (const listener of this.#listeners) listener();
        return child;
      } catch (error) {
        if (this.#isStopping()) return undefined;
        this.#options.log.error({ err: error }, 'nats-server does not start; it will be tried again');
      }
    }
  }

  /** Ends early when a stop is asked for. */
  async #pause(delayMs: number): Promise<void> {
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(delayMs, resolve);
    });
    await Promise.race([over, this.#stopRequest.promise]);
    cancel();
  }
}

function configFile(lock: DirectoryLock): string {
  return join(lock.path, 'nats-server.conf');
}
