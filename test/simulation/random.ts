/** Chance from a seed: the same seed gives the same values (sfc32, Doty-Humphrey). */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 0x9e3779b9, 0x243f6a88 ^ (seed << 7), 1);
    for (let round = 0; round < 16; round += 1) this.#word();
  }

  /** 0 ≤ value < 1. */
  readonly next = (): number => this.#word() / 4294967296;

  /** A source of its own: what it is asked does not change what this one says later. */
  fork(): Random {
    return new Random(this.#word());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  /** Both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** Small values as likely as large ones, by their order of magnitude. */
  scale(least: number, most: number): number {
    return least * (most / least) ** this.next();
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.next() * from.length)];
  }

  /** By weight; undefined when there is nothing to choose from. */
  weighted<T>(from: readonly (readonly [T, number])[]): T | undefined {
    let left = this.next() * from.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [what, weight] of from) {
      left -= weight;
      if (left < 0) return what;
    }
    return undefined;
  }

  #word(): number {
    const s = this.#state;
    const [a = 0, b = 0, c = 0, counter = 0] = s;
    const word = (a + b + counter) >>> 0;
    s[3] = counter + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + word;
    return word;
  }
}
