import { readdir, readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { kill, pid } from 'node:process';

/**
 * The machine's processes, as far as this one may see them. A process id alone proves nothing, ids are used again:
 * id and start time together name one process for ever.
 */
export interface ProcessTable {
  readonly ownPid: number;
  /** Where process ids mean what they mean here: this boot of this machine and this process namespace. */
  place(): Promise<string>;
  /** When a living process started, in a form only good for comparing; undefined when there is none. */
  startOf(pid: number): Promise<string | undefined>;
  /** The living processes that were started with exactly these arguments, whatever their program. */
  withArguments(words: readonly string[]): Promise<readonly number[]>;
  /** False when there is no such process any more. */
  signal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): boolean;
}

/** Linux by /proc. Elsewhere a process is known by its id alone, and `withArguments` finds none. */
export const systemProcesses: ProcessTable = {
  ownPid: pid,
  place: async () => {
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname());
    const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
    return `${boot.trim()} ${namespace}`.trim();
  },
  startOf: async (of) => {
    const stat = await readFile(`/proc/${String(of)}/stat`, 'utf8').catch(() => undefined);
    if (stat !== undefined) return startInStat(stat);
    const hasProc = (await readlink('/proc/self').catch(() => undefined)) !== undefined;
    return !hasProc && isThere(of) ? 'unknown' : undefined;
  },
  withArguments: async (words) => {
    const wanted = words.map((word) => `${word}\0`).join('');
    const ids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
    const commands = await Promise.all(
      ids.map((id) => readFile(`/proc/${String(id)}/cmdline`, 'utf8').catch(() => '')),
    );
    return ids.filter((_, index) => (commands[index] ?? '').replace(/^[^\0]*\0/, '') === wanted);
  },
  signal: (to, signal) => {
    try {
      return kill(to, signal);
    } catch (error) {
      if (codeOf(error) === 'ESRCH') return false;
      throw error;
    }
  },
};

/** The start time (field 22), undefined for one that has ended and only waits to be collected. */
function startInStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function isThere(of: number): boolean {
  try {
    return kill(of, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
