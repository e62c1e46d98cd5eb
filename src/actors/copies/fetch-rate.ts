import { type Clock } from '../../runtime/clock.ts';

export interface CopyRate {
  readonly copiesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** What counts half as much as what is new: so many ms of fetching ago. */
const HALF_LIFE_MS = 60_000;

/** How fast copies come in while some are being fetched; time without any does not count. */
export class FetchRate {
  readonly #clock: Clock;
  #running = 0;
  #lastAt = 0;
  #copies = 0;
  #bytes = 0;
  #busyMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** null: nothing was fetched yet. */
  get rate(): CopyRate | null {
    if (this.#copies === 0) return null;
    const seconds = Math.max(this.#busyMs, 1) / 1_000;
    return { copiesPerSecond: this.#copies / seconds, bytesPerSecond: this.#bytes / seconds };
  }

  started(): void {
    this.#pass();
    this.#running += 1;
  }

  /** `sizeBytes`: of the copy that came in; undefined when it failed. */
  ended(sizeBytes: number | undefined): void {
    this.#pass();
    this.#running -= 1;
    if (sizeBytes === undefined) return;
    this.#copies += 1;
    this.#bytes += sizeBytes;
  }

  #pass(): void {
    const now = this.#clock.monotonic();
    const ms = this.#running === 0 ? 0 : now - this.#lastAt;
    this.#lastAt = now;
    const fading = 0.5 ** (ms / HALF_LIFE_MS);
    this.#copies *= fading;
    this.#bytes *= fading;
    this.#busyMs = this.#busyMs * fading + ms;
  }
}
