import { type Clock } from '../../runtime/clock.ts';

export interface ReadRate {
  readonly segment: string;
  readonly perSecond: number;
}

/** Counted over this, ms. */
const WINDOW_MS = 10_000;
/** Segments that are counted in one window; those that come first in it. A segment that matters is read long before so many others are. */
const MOST_COUNTED = 10_000;
const MOST_TOLD = 8;

/** How often each segment was read here of late, in two windows of ten seconds: a map look-up for each read, and nothing that grows. */
export class ReadRates {
  readonly #clock: Clock;
  #beganAt: number;
  #counts = new Map<string, number>();
  #last: readonly ReadRate[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
  }

  add(segment: string): void {
    const count = this.#counts.get(segment);
    if (count !== undefined) this.#counts.set(segment, count + 1);
    else if (this.#counts.size < MOST_COUNTED) this.#counts.set(segment, 1);
  }

  /** Those that were read at least so often a second in the last whole window, at most eight, the most read first. */
  above(leastPerSecond: number): readonly ReadRate[] {
    const now = this.#clock.monotonic();
    const lastedMs = now - this.#beganAt;
    if (lastedMs >= WINDOW_MS) {
      this.#last = Array.from(this.#counts, ([segment, count]) => ({ segment, perSecond: (count / lastedMs) * 1_000 }))
        .sort((a, b) => b.perSecond - a.perSecond)
        .slice(0, MOST_TOLD);
      this.#counts = new Map();
      this.#beganAt = now;
    }
    return this.#last.filter(({ perSecond }) => perSecond >= leastPerSecond);
  }
}
