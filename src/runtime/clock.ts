/** Time is handed in, so that tests and the simulator move it by hand. All values are milliseconds. */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for people and documents, never for measuring. */
  now(): number;
  /** Never goes back; its zero means nothing. For every duration and deadline. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
  /**
   * How long until the next tick of what happens every `periodMs`, give or take a quarter of a second. A real clock has all of a process tick
   * at the same moments: one that has nothing to do is woken twice a second, not once for each of its timers.
   */
  untilTick(periodMs: number): number;
}

const TICK_MS = 500;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
  untilTick: (periodMs) => {
    const tickMs = Math.min(periodMs, TICK_MS);
    const now = performance.now();
    return Math.ceil((now + periodMs - tickMs / 2) / tickMs) * tickMs - now;
  },
};
