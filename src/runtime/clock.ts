/** Time is handed in, so that tests and the simulator move it by hand. All values are milliseconds. */
export interface Clock {
  /** Wall clock, milliseconds since 1970: for people and documents, never for measuring. */
  now(): number;
  /** Never goes back; its zero means nothing. For every duration and deadline. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
