import { getPriority, setPriority } from 'node:os';
import { type Log } from '../log.ts';

/** Such a child gets a quarter of a processor that it shares with another, and all of one that nobody else wants; its reads and writes give way too. */
const SLOW_NICENESS = 5;
const MOST_NICENESS = 19;

/** For good: a process may not raise it again. */
export function lowerPriority(pid: number | undefined, log: Log): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(MOST_NICENESS, getPriority(pid) + SLOW_NICENESS));
  } catch (err) {
    log.debug({ err, pid }, 'the priority of a process could not be lowered');
  }
}
