import { readdirSync, readFileSync } from 'node:fs';
import { descendants } from '../../test/support/process-tree.ts';

/** What a process and all that it started use, summed. Linux only: it is read from /proc. */
export interface Usage {
  readonly processes: number;
  /** Memory that several of them share counts in each. */
  readonly rssMiB: number;
  /** Shared memory counts once. */
  readonly pssMiB: number;
  readonly fds: number;
  /** User and system time since their starts. */
  readonly cpuSeconds: number;
}

const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1_024;

/** `leaveOut`: names of programs that do not count. */
export async function usageOf(pid: number, leaveOut: readonly string[] = []): Promise<Usage> {
  const others = await descendants(pid);
  const pids = [pid, ...others.filter(({ program }) => !leaveOut.includes(program)).map((seen) => seen.pid)];
  const all = pids.map(usageOfOne).filter((usage) => usage !== undefined);
  const sum = (figure: (usage: OneUsage) => number): number => all.reduce((total, usage) => total + figure(usage), 0);
  return {
    processes: all.length,
    rssMiB: sum(({ rssMiB }) => rssMiB),
    pssMiB: sum(({ pssMiB }) => pssMiB),
    fds: sum(({ fds }) => fds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
  };
}

type OneUsage = Omit<Usage, 'processes'>;

/** Undefined when it has ended. */
function usageOfOne(pid: number): OneUsage | undefined {
  const directory = `/proc/${String(pid)}`;
  try {
    const memory = readFileSync(`${directory}/smaps_rollup`, 'utf8');
    const stat = readFileSync(`${directory}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      rssMiB: kibibytes(memory, 'Rss') / KIB_PER_MIB,
      pssMiB: kibibytes(memory, 'Pss') / KIB_PER_MIB,
      fds: readdirSync(`${directory}/fd`).length,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}

/** A process that is just ending has no such lines. */
function kibibytes(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
}
