/** Waiting times that double from `firstMs` to `mostMs`, each shortened at random by up to half, so that many waiters spread out. */
export interface BackoffPolicy {
  readonly firstMs: number;
  readonly mostMs: number;
}

export class Backoff {
  readonly #policy: BackoffPolicy;
  readonly #random: () => number;
  #attempts = 0;

  constructor(policy: BackoffPolicy, random: () => number) {
    this.#policy = policy;
    this.#random = random;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The next waiting time in ms. */
  next(): number {
    const full = Math.min(this.#policy.mostMs, this.#policy.firstMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return full * (1 - this.#random() / 2);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
