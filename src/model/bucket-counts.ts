/** How many values fell below each of a few bounds, with their sum: a histogram that costs a few nanoseconds for each value. */
export class BucketCounts {
  /** Ascending, each one the most that its bucket takes. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  add(value: number): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at += 1;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.sum += value;
    this.count += 1;
  }

  /** For each bound, the number of values up to it. */
  cumulative(): number[] {
    let total = 0;
    return this.bounds.map((_, at) => (total += this.#counts[at] as number));
  }
}
