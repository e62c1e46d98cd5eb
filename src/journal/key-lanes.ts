import { orAborted } from './or-aborted.ts';

/** One task of a key at a time, in the order of the calls. */
export class KeyLanes {
  readonly #tails = new Map<string, Promise<unknown>>();

  /**
   * `work`'s result; it begins when all earlier ones of that key are done, or when the signal has fired: then it must do nothing but say so.
   */
  async run<T>(lane: string, work: () => Promise<T>, ended: AbortSignal): Promise<T> {
    const before = this.#tails.get(lane);
    const done = Promise.withResolvers<undefined>();
    const tail = before === undefined ? done.promise : before.then(() => done.promise);
    this.#tails.set(lane, tail);
    try {
      if (before !== undefined) await orAborted(before, ended);
      return await work();
    } finally {
      done.resolve(undefined);
      void tail.then(() => {
        if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
      });
    }
  }
}
