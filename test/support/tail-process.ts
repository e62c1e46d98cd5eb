import { NODE_FLAGS } from '../../bin/node.mjs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface TailLine {
  readonly kind?: string;
  readonly segment?: string;
  readonly sequence?: number;
  readonly statements?: readonly { readonly sql: string; readonly params?: readonly unknown[] }[];
  readonly _trough?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface TailRun extends AsyncDisposable {
  /** What it has printed so far, parsed. */
  readonly lines: readonly TailLine[];
  readonly stderr: () => string;
  /** Ctrl-C; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
}

const PROGRAM = join(import.meta.dirname, '..', '..', 'dist', 'main.js');

/** `trough tail …` as a process of its own. */
export function tailing(args: readonly string[]): TailRun {
  const child = spawn(process.execPath, [...NODE_FLAGS, PROGRAM, 'tail', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const lines: TailLine[] = [];
  const errors: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as TailLine));
  child.stderr.setEncoding('utf8').on('data', (part: string) => errors.push(part));
  const stop = async (): Promise<number | null> => {
    child.kill('SIGINT');
    const [code] = await ended;
    return code;
  };
  return {
    lines,
    stderr: () => errors.join(''),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}

/** The first parameter of each write among them, in order. */
export function numbersIn(lines: readonly TailLine[], segment: string): unknown[] {
  return lines
    .filter((line) => line.kind === 'write' && line.segment === segment)
    .flatMap(({ statements = [] }) => statements)
    .filter(({ params }) => params !== undefined)
    .map(({ params }) => params?.[0]);
}
