import { TroughError } from '../../errors.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';

/** How long one request may wait for changes, and until when it is worked on at all. */
export class Patience implements Disposable {
  /** Fires when there is nobody to answer any more. */
  readonly gone: AbortSignal;
  /** Fires when nothing more is to be waited for. */
  readonly over: AbortSignal;
  readonly #clock: Clock;
  readonly #cancel: () => void;

  constructor(clock: Clock, waitMs: number, gone: AbortSignal) {
    this.#clock = clock;
    this.gone = gone;
    const late = new AbortController();
    this.over = AbortSignal.any([gone, late.signal]);
    this.#cancel =
      waitMs > 0
        ? clock.after(waitMs, () => {
            late.abort();
          })
        : () => undefined;
    if (waitMs <= 0) late.abort();
  }

  get isOver(): boolean {
    return this.over.aborted;
  }

  /** The reason for which nobody is to be answered, when there is one. */
  demand(): void {
    if (!this.gone.aborted) return;
    const reason: unknown = this.gone.reason;
    throw reason instanceof TroughError
      ? reason
      : new TroughError('BUS_ASKER_GONE', 'nobody waits for these changes', {}, reason);
  }

  /** Shorter when it is over before. */
  async pause(ms: number): Promise<void> {
    if (ms > 0) await pause(this.#clock, ms, this.over);
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
