/** One task of a key at a time, in the order of the calls. Keys are told apart by stream and name. */
export class KeyLanes {
  readonly #tails = new Map<string, Promise<undefined>>();

  /** `work`'s result; it begins when all earlier ones of that key are done. */
  async run<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(lane);
    const done = Promise.withResolvers<undefined>();
    this.#tails.set(lane, done.promise);
    try {
      await before;
      return await work();
    } finally {
      if (this.#tails.get(lane) === done.promise) this.#tails.delete(lane);
      done.resolve(undefined);
    }
  }
}
