import { NODE_FLAGS } from '../../bin/node.mjs';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ReadyLine } from '../../src/roles/start.ts';
import { systemClock } from '../../src/runtime/clock.ts';

export interface TroughOptions {
  readonly data: string;
  readonly node?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A program with its flags that runs the process instead, and keeps its process id: a tracer that is no parent of it. */
  readonly under?: readonly string[];
}

export interface TroughRun {
  readonly ready: ReadyLine;
  readonly pid: number;
  /** What it has logged so far. */
  readonly log: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRAM = join(ROOT, 'dist', 'main.js');
const LONGEST_FAILURE_MS = 20_000;

/** The built program, as one process on free ports, until the end of the test: `await using node = await trough({ data })`. */
export async function trough(options: TroughOptions): Promise<TroughRun & AsyncDisposable> {
  const { ready, ...run } = troughStarting(options);
  return { ...run, ready: await ready };
}

/** The same, as long as it may wait for something: `ready` resolves when it has got it, and rejects when the process ends before. */
export function troughStarting(
  options: TroughOptions,
): Omit<TroughRun, 'ready'> & { readonly ready: Promise<ReadyLine> } & AsyncDisposable {
  const { child, log, ended } = launch(options);
  const ready = Promise.race([
    firstLine(child).then((line) => JSON.parse(line) as ReadyLine),
    ended.then(({ code }) => {
      throw new Error(`trough ended with ${String(code)} before it was ready:\n${log()}`);
    }),
  ]);
  // A test that does not wait for it looks at `ended`.
  ready.catch(() => undefined);
  return {
    ready,
    pid: child.pid ?? 0,
    log,
    ended,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The same for a start that is expected to fail; resolves with what it said when it has ended. One that goes on for 20 s is killed: code null. */
export async function troughThatFails(options: TroughOptions): Promise<{ code: number | null; stderr: string }> {
  const { child, log, ended } = launch(options);
  const cancel = systemClock.after(LONGEST_FAILURE_MS, () => child.kill('SIGKILL'));
  const { code } = await ended;
  cancel();
  return { code, stderr: log() };
}

/** A verb of the command line against a running trough. */
export async function verb(
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, ...args], {
    stdio: 'pipe',
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (part: string) => out.push(part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => err.push(part));
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: out.join(''), stderr: err.join('') };
}

/** The environment that points the command line's verbs at a running trough. */
export function clientEnv({ ready }: TroughRun): Record<string, string> {
  const { read = '', write = '', syncMaster = '' } = ready.urls;
  return { TROUGH_READ_URL: read, TROUGH_WRITE_URL: write, TROUGH_MANAGER_URL: syncMaster };
}

function launch(options: TroughOptions): { child: ChildProcess; log: () => string; ended: TroughRun['ended'] } {
  const given = options.args ?? [];
  const ports = ['read-port', 'write-port', 'sync-master-port', 'sync-local-port'];
  // A nats-server of its own needs a port; with one that is given, naming a port is a contradiction.
  if (!given.includes('--nats')) ports.push('nats-port');
  const args = [
    ...ports.filter((name) => !given.includes(`--${name}`)).flatMap((name) => [`--${name}`, '0']),
    ...['--data', options.data, '--node', options.node ?? 'n1'],
    ...given,
  ];
  const [program = '', ...flags] = [...(options.under ?? []), process.execPath, ...NODE_FLAGS, PROGRAM, ...args];
  const child = spawn(program, flags, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  const lines: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (part: string) => lines.push(part));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  return { child, log: () => lines.join(''), ended };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout');
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line')) as [string];
  return line;
}
