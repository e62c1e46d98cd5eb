import { type Clock } from '../../runtime/clock.ts';

export interface SegmentRate {
  readonly segment: string;
  readonly perSecond: number;
}

export interface RateHabits {
  /** Segments that `most` names at most. */
  readonly mostTold: number;
  /** How much of a window counts still in the next one, from 0 (only the last window counts) to below 1 (a moving average). */
  readonly kept: number;
}

/** Counted over this, ms. */
const WINDOW_MS = 10_000;
/** Segments that are counted in one window, those that come first in it, and that are kept for the next. One that matters is asked for long before so many others are. */
const MOST_COUNTED = 10_000;
/** A second; what is rarer is forgotten. */
const FORGOTTEN_BELOW = 0.003;

/** How often something was done with each segment here of late, in windows of ten seconds: a map look-up each time, and nothing that grows. */
export class SegmentRates {
  readonly #clock: Clock;
  readonly #habits: RateHabits;
  #beganAt: number;
  #counts = new Map<string, number>();
  /** Of the windows before, the highest first. */
  #rates: readonly SegmentRate[] = [];

  constructor(clock: Clock, habits: RateHabits) {
    this.#clock = clock;
    this.#habits = habits;
    this.#beganAt = clock.monotonic();
  }

  add(segment: string): void {
    const count = this.#counts.get(segment);
    if (count !== undefined) this.#counts.set(segment, count + 1);
    else if (this.#counts.size < MOST_COUNTED) this.#counts.set(segment, 1);
  }

  /** As of the end of the last whole window, the highest rate first. */
  most(): readonly SegmentRate[] {
    const lastedMs = this.#clock.monotonic() - this.#beganAt;
    if (lastedMs >= WINDOW_MS) this.#endWindow(lastedMs);
    return this.#rates.slice(0, this.#habits.mostTold);
  }

  #endWindow(lastedMs: number): void {
    const { kept } = this.#habits;
    const rates = new Map(this.#rates.map(({ segment, perSecond }): [string, number] => [segment, perSecond * kept]));
    for (const [segment, count] of this.#counts)
      rates.set(segment, (rates.get(segment) ?? 0) + ((1 - kept) * count * 1_000) / lastedMs);
    this.#rates = Array.from(rates, ([segment, perSecond]) => ({ segment, perSecond }))
      .filter(({ perSecond }) => perSecond >= FORGOTTEN_BELOW)
      .sort((one, other) => other.perSecond - one.perSecond)
      .slice(0, MOST_COUNTED);
    this.#counts = new Map();
    this.#beganAt += lastedMs;
  }
}
