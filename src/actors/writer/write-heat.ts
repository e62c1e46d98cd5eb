import { type Clock } from '../../runtime/clock.ts';

/** Counted over this, ms. */
const WINDOW_MS = 10_000;
/** Of what was counted before so much counts still, a window later: an eighth after a minute. */
const KEPT = 0.7;
const FORGOTTEN_BELOW = 0.1;
/** Segments that are counted; one that matters is written long before so many others are. */
const MOST_COUNTED = 10_000;
/** About two rounds of a take-over: in which order so few others come matters little. */
const MOST_TOLD = 64;

/** Which segments are written most on this node of late: a map look-up for each write, and nothing while none is written. */
export class WriteHeat {
  readonly #clock: Clock;
  #counts = new Map<string, number>();
  #beganAt: number;
  #most: readonly string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
  }

  add(segment: string): void {
    const count = this.#counts.get(segment);
    if (count !== undefined) this.#counts.set(segment, count + 1);
    else if (this.#counts.size < MOST_COUNTED) this.#counts.set(segment, 1);
  }

  /** Those of the last minute as of the last whole window, the most written first. */
  most(): readonly string[] {
    const now = this.#clock.monotonic();
    if (now - this.#beganAt < WINDOW_MS) return this.#most;
    this.#beganAt = now;
    const counts = Array.from(this.#counts).sort(([, one], [, other]) => other - one);
    this.#most = counts.slice(0, MOST_TOLD).map(([segment]) => segment);
    const kept = counts.map(([segment, count]): [string, number] => [segment, count * KEPT]);
    this.#counts = new Map(kept.filter(([, count]) => count >= FORGOTTEN_BELOW));
    return this.#most;
  }
}
