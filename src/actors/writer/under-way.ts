import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';

/** Segments that are being opened here, or given to another node: who wants something of one waits until that is over instead of being sent away. */
export class UnderWay {
  readonly #clock: Clock;
  readonly #ends = new Map<SegmentId, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The work's outcome; meanwhile `over` waits for it. Of several for one segment the last counts: they are done in turn. */
  track<T>(id: SegmentId, work: Promise<T>): Promise<T> {
    const done = (): void => {
      if (this.#ends.get(id) === end) this.#ends.delete(id);
    };
    const end = work.then(done, done);
    this.#ends.set(id, end);
    return work;
  }

  /** Resolves when nothing is under way any more, or after so long; undefined: nothing is now. */
  over(id: SegmentId, mostMs: number): Promise<void> | undefined {
    const end = this.#ends.get(id);
    if (end === undefined) return undefined;
    return new Promise((resolve) => {
      const cancel = this.#clock.after(mostMs, resolve);
      void end.then(() => {
        cancel();
        resolve();
      });
    });
  }
}
