import { type Clock } from './clock.ts';

/** Shorter debts are not worth a timer: they are paid with the next. */
const LEAST_PAUSE_MS = 20;

/** Lets so many units pass in a second, on average: who has taken more than that waits until they are paid for. */
export class Throttle {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #paidAt = -Infinity;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Resolves when the next may be taken. Throws the signal's reason when it fires meanwhile. */
  async take(units: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const now = this.#clock.monotonic();
    this.#paidAt = Math.max(this.#paidAt, now) + (units * 1_000) / this.#perSecond;
    const debtMs = this.#paidAt - now;
    if (debtMs < LEAST_PAUSE_MS) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.after(debtMs, end);
      signal?.addEventListener('abort', end, { once: true });
    });
    signal?.throwIfAborted();
  }
}
