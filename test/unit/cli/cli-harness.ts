import { Writable } from 'node:stream';
import { runCli } from '../../../src/cli/cli.ts';
import { type StopSignal } from '../../../src/cli/context.ts';
import { Output } from '../../../src/cli/output.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliSetting {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly isTty?: boolean;
  /** The reader of stdout goes away after so many writes. */
  readonly closesAfter?: number;
  /** Is handed the function that sends a signal. */
  readonly signals?: (send: (signal: StopSignal) => void) => void;
}

/** Runs one command line inside this process. */
export async function cli(args: readonly string[], given: CliSetting = {}): Promise<CliRun> {
  const out = new Collected(given.isTty === true, given.closesAfter);
  const err = new Collected(given.isTty === true, undefined);
  const code = await runCli({
    args,
    host: {
      nodePath: process.execPath,
      env: given.env ?? {},
      hostname: 'h',
      pid: 1,
      cores: 2,
      load: () => 0,
      memoryBytes: 1e9,
      version: '1.2.3',
    },
    clock: systemClock,
    stdin: bytes(given.stdin ?? ''),
    stdout: new Output(out),
    stderr: new Output(err),
    onSignal: (listener) => given.signals?.(listener),
    exitNow: (exitCode) => {
      throw new Error(`exit ${String(exitCode)}`);
    },
  });
  return { code, out: out.text, err: err.text };
}

class Collected extends Writable {
  readonly isTTY: boolean;
  text = '';
  #left: number;

  constructor(isTty: boolean, closesAfter = Number.POSITIVE_INFINITY) {
    super();
    this.isTTY = isTty;
    this.#left = closesAfter;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#left -= 1;
    if (this.#left < 0) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      return;
    }
    this.text += chunk.toString('utf8');
    done();
  }
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  yield Buffer.from(text);
}
