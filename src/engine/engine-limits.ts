import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type AnswerLimits } from './answer-budget.ts';
import { type ChildOptions } from './child-process.ts';
import { launcher } from './process-launch.ts';

/** What the processes of an engine may take. */
export interface EngineLimits extends AnswerLimits {
  /** Files that each query process holds open at most; fewer where memory or file descriptors are short. Default 3,000. */
  readonly openFiles?: number;
  /** Memory of each process, bytes. Default 1 GiB. */
  readonly memoryBytes?: number;
  /** The largest temporary file of a query, bytes. Default 10 GiB. */
  readonly temporaryBytes?: number;
  /** A directory for temporary files and nothing else: it is emptied. Default: where the system has them. */
  readonly scratch?: string | undefined;
}

const DEFAULTS = { openFiles: 3_000, memoryBytes: 2 ** 30, temporaryBytes: 10 * 2 ** 30 };

/** How children are started: those that run queries, which write no files but temporary ones, and the others. */
export function childOptions(
  nodePath: string,
  limits: EngineLimits,
  log: Log,
): { readonly queries: ChildOptions; readonly services: ChildOptions } {
  const { openFiles = DEFAULTS.openFiles, memoryBytes = DEFAULTS.memoryBytes, scratch } = limits;
  const { temporaryBytes = DEFAULTS.temporaryBytes, valueBytes, answerRows, answerBytes } = limits;
  if (!launcher().limits) log.warn({}, 'this system cannot limit what a process takes: a query may use all memory');
  const settings = {
    openFiles: affordable(openFiles, memoryBytes),
    cacheBytes: Math.floor(memoryBytes / 2),
    scratch: scratch === undefined ? undefined : emptied(resolve(scratch)),
    answers: { valueBytes, answerRows, answerBytes },
  };
  return {
    queries: { nodePath, settings, limits: { memoryBytes, fileBytes: temporaryBytes } },
    services: { nodePath, settings, limits: { memoryBytes } },
  };
}

/** What an open segment takes: SQLite's lookaside, its page cache, the schema and some prepared statements. */
const OPEN_FILE_BYTES = 256 * 1_024;
/** The database, its WAL and its shared memory. */
const OPEN_FILE_DESCRIPTORS = 3;

/** Half of the memory, and half of the file descriptors, stay for queries. */
function affordable(openFiles: number, memoryBytes: number): number {
  const byMemory = memoryBytes / 2 / OPEN_FILE_BYTES;
  return Math.max(1, Math.floor(Math.min(openFiles, byMemory, descriptors() / 2 / OPEN_FILE_DESCRIPTORS)));
}

/** How many files a process may have open: Node has raised it as far as it may, and children inherit it. */
function descriptors(): number {
  try {
    const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return line === null ? Infinity : Number(line[1]);
  } catch {
    return Infinity;
  }
}

function emptied(directory: string): string {
  try {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    return directory;
  } catch (error) {
    throw new TroughError('DATA_DIRECTORY_UNUSABLE', `cannot empty ${directory}`, { directory }, error);
  }
}
