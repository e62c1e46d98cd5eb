import { type Clock } from './clock.ts';

/**
 * Runs `work` with a signal that fires after `ms`, or when `outer` does. By the clock that is handed in, so that it can be simulated,
 * and the timer is gone when the work is done.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  const cancel = clock.after(ms, () => {
    controller.abort(new DOMException(`not done within ${String(ms)} ms`, 'TimeoutError'));
  });
  const signal = outer === undefined ? controller.signal : AbortSignal.any([controller.signal, outer]);
  try {
    return await work(signal);
  } finally {
    cancel();
  }
}
