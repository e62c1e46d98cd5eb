import { readFileSync } from 'node:fs';

/** Processor time that one piece of work must have used. */
const LONG_CPU_MS = 80;
/** Or so many looks in a row at which it was still the same one: it waits for a disk, or the machine has no processor time for it. */
const LONG_LOOKS = 50;
/** The unit of /proc/PID/stat: hundredths of a second on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/**
 * Whether a process runs one piece of work for long. It goes by processor time, so that a machine that is busy or was asleep makes no
 * quick query a long one.
 */
export class LongRun {
  #since = 0;
  #cpuMs: number | undefined;
  #looks = 0;

  /** To be called again and again while a piece of work runs; `since` names it: the time at which it began. */
  look(pid: number | undefined, since: number): boolean {
    if (since !== this.#since) {
      this.#since = since;
      this.#looks = 0;
      this.#cpuMs = cpuMsOf(pid);
      return false;
    }
    this.#looks += 1;
    if (this.#looks >= LONG_LOOKS) return true;
    const cpuMs = cpuMsOf(pid);
    return cpuMs !== undefined && this.#cpuMs !== undefined && cpuMs - this.#cpuMs >= LONG_CPU_MS;
  }
}

/** Undefined where there is no /proc, or no such process any more. */
function cpuMsOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  } catch {
    return undefined;
  }
}
