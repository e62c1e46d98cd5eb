import { getPriority, setPriority } from 'node:os';
import { type Log } from '../log.ts';

/** A slow child gets a quarter of a processor that it shares with a quick one, and all of one that nobody else wants. */
const SLOW_NICENESS = 5;
const MOST_NICENESS = 19;

/** For good: a process may not raise it again. */
export function lowerPriority(pid: number | undefined, log: Log): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(MOST_NICENESS, getPriority(pid) + SLOW_NICENESS));
  } catch (err) {
    log.debug({ err, pid }, 'the priority of a query process could not be lowered');
  }
}
