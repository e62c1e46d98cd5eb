import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';
import { natsServerArguments } from './nats-server-config.ts';
import { greetNatsServer } from './nats-server-probe.ts';

const POLL_MS = 10;
const READY_MS = 120_000;
const MEMORY_LIMIT = '512MiB';
const KEPT_STDERR = 4_096;

export interface NatsServerExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to stderr: why it would not start, or a crash. */
  readonly said: string;
}

/** One run of the server program, from its start to its end; `NatsServerKeeper` strings them together. */
export class NatsServerChild {
  readonly exited: Promise<NatsServerExit>;
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #clock: Clock;
  #ended: NatsServerExit | undefined;

  /** A session of its own: a Ctrl-C in the terminal reaches trough alone, which stops its server last. */
  constructor(binary: string, configFile: string, directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#child = spawn(binary, natsServerArguments(configFile), {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { GOMEMLIMIT: MEMORY_LIMIT },
    });
    this.exited = this.#watch();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves with the port, once the server listens and its store is recovered. Errors: PORT_IN_USE, NATS_SERVER_FAILED. */
  async ready(host: string, stopping: () => boolean): Promise<number> {
    const deadline = this.#clock.monotonic() + READY_MS;
    for (;;) {
      if (this.#ended !== undefined) throw await this.#startFailure(this.#ended);
      const port = await this.#portInFile();
      if (port !== undefined) {
        const { jetstream } = await greetNatsServer(host, port);
        if (!jetstream) throw new TroughError('NATS_SERVER_FAILED', 'nats-server runs without JetStream');
        return port;
      }
      if (stopping()) throw new TroughError('STOPPING', 'nats-server is being stopped');
      if (this.#clock.monotonic() > deadline)
        throw new TroughError('NATS_SERVER_FAILED', `nats-server was not ready after ${String(READY_MS / 1000)} s`);
      await pause(this.#clock, POLL_MS);
    }
  }

  /** SIGKILL: nothing is flushed. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** SIGTERM, which lets it flush; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGTERM');
    const cancel = this.#clock.after(graceMs, () => {
      this.kill();
    });
    await this.exited;
    cancel();
  }

  async #watch(): Promise<NatsServerExit> {
    let said = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-KEPT_STDERR);
    });
    const end = await new Promise<Omit<NatsServerExit, 'said'>>((resolve) => {
      this.#child.once('error', (error) => {
        said += error.message;
        if (this.#child.pid === undefined) resolve({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
    this.#ended = { ...end, said: said.trim() };
    return this.#ended;
  }

  /** The server writes `<program>_<pid>.ports` into its directory when it listens. */
  async #portInFile(): Promise<number | undefined> {
    const suffix = `_${String(this.pid)}.ports`;
    const name = (await readdir(this.#directory)).find((file) => file.endsWith(suffix));
    if (name === undefined) return undefined;
    return Number(/:(\d+)"/.exec(await readFile(join(this.#directory, name), 'utf8'))?.[1]) || undefined;
  }

  async #startFailure({ code, signal, said }: NatsServerExit): Promise<TroughError> {
    const log = await readFile(join(this.#directory, 'nats-server.log'), 'utf8').catch(() => '');
    const fatal = [...log.matchAll(new RegExp(`^\\[${String(this.pid)}\\].*\\[FTL\\] (.*)$`, 'gm'))]
      .map((match) => match[1])
      .join(' ');
    const reason =
      [said, fatal].filter((text) => text !== '').join(' ') || `exit code ${String(code)}, signal ${String(signal)}`;
    if (reason.includes('address already in use'))
      return new TroughError('PORT_IN_USE', `nats-server cannot listen: ${reason}`);
    return new TroughError('NATS_SERVER_FAILED', `nats-server did not start: ${reason}`);
  }
}

/** Ports files of runs that were killed. */
export async function clearPortsFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) if (name.endsWith('.ports')) await unlink(join(directory, name));
}
