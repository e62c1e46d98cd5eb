import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';

/** One process for ever: its id may be given to another one later, but not with the same start time. */
export interface SeenProcess {
  readonly pid: number;
  /** In clock ticks since the machine was booted. */
  readonly startedAt: string;
  /** The name of its program, as the kernel keeps it: at most 15 bytes. */
  readonly program: string;
}

/** Whether a process with this id runs (or is a zombie that nobody has waited for). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether this very process runs: not a later one with its id, nor one that only waits to be collected. */
export function stillRuns({ pid, startedAt }: SeenProcess): boolean {
  const now = statOf(pid);
  return now?.process.startedAt === startedAt && now.state !== 'Z' && now.state !== 'X';
}

/** The processes whose parent is `pid`, and theirs. */
export async function descendants(pid: number): Promise<SeenProcess[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const all = ids.map(statOf).filter((stat) => stat !== undefined);
  const found: SeenProcess[] = [];
  const collect = (of: number): void => {
    for (const { process, parent } of all) {
      if (parent !== of) continue;
      found.push(process);
      collect(process.pid);
    }
  };
  collect(pid);
  return found;
}

function statOf(pid: number): { process: SeenProcess; parent: number; state: string } | undefined {
  const stat = readOrUndefined(`/proc/${String(pid)}/stat`);
  if (stat === undefined) return undefined;
  // The program's name stands in brackets and may hold anything, brackets too.
  const program = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    process: { pid, startedAt: fields[19] ?? '', program },
    parent: Number(fields[1]),
    state: fields[0] ?? '',
  };
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
