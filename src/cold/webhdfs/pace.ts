import { type Clock } from '../../runtime/clock.ts';
import { type HdfsTimes } from './webhdfs-options.ts';

/** Watches that a transfer moves on: calls `tooSlow` once when less than it should has moved in one stretch of time. */
export class Pace implements Disposable {
  readonly #clock: Clock;
  readonly #times: Pick<HdfsTimes, 'paceMs' | 'paceBytes'>;
  readonly #tooSlow: () => void;
  #moved = 0;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, times: Pick<HdfsTimes, 'paceMs' | 'paceBytes'>, tooSlow: () => void) {
    this.#clock = clock;
    this.#times = times;
    this.#tooSlow = tooSlow;
    this.#watch();
  }

  moved(bytes: number): void {
    this.#moved += bytes;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #watch(): void {
    this.#cancel = this.#clock.after(this.#times.paceMs, () => {
      if (this.#moved < this.#times.paceBytes) {
        this.#tooSlow();
        return;
      }
      this.#moved = 0;
      this.#watch();
    });
  }
}
