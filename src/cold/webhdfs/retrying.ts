import { Backoff } from '../../runtime/backoff.ts';
import { pause } from '../../runtime/pause.ts';
import { type Clock } from '../../runtime/clock.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { type HdfsTimes } from './webhdfs-options.ts';

const MOST_PAUSE_MS = 5_000;

export interface RetryDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly times: HdfsTimes;
}

/** Tries until it is done, for as many times as `times.attempts` says, with growing pauses. `mayRepeat` decides of each problem; its default is the problem's own word. */
export async function retrying<T>(
  { clock, random, times }: RetryDeps,
  work: (attempt: number) => Promise<T>,
  signal?: AbortSignal,
  mayRepeat: (problem: HdfsProblem) => boolean = ({ retry }) => retry !== 'no',
): Promise<T> {
  const backoff = new Backoff({ firstMs: times.pauseMs, mostMs: MOST_PAUSE_MS }, random);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!(error instanceof HdfsProblem) || error.spent || !mayRepeat(error)) throw error;
      if (attempt >= times.attempts) {
        error.spent = attempt > 1;
        throw error;
      }
      await pauseOrThrow(clock, backoff.next(), signal);
    }
  }
}

/** Ends early, with the signal's reason, when it fires. */
export async function pauseOrThrow(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await pause(clock, ms, signal);
  signal?.throwIfAborted();
}
