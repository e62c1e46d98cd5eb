import { type Log } from '../log.ts';
import { type Clock } from './clock.ts';

/** What a supervisor hands on to everything it starts. */
export interface SupervisorOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
  /** How long one child may take to end by itself, in ms, before it is left behind. */
  readonly graceMs: number;
}
