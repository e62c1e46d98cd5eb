interface Running {
  readonly done: Promise<void>;
  /** The sync that begins when this one has ended, once somebody has asked for it. */
  next: Promise<void> | undefined;
}

/**
 * Syncs directories, each in one sync at a time: whoever asks while it runs waits for the next one, with all others that do, since the one that runs
 * may have passed over what they have done. A sync that fails fails for those alone who waited for it.
 */
export class SharedSyncs {
  readonly #sync: (directory: string) => Promise<void>;
  readonly #running = new Map<string, Running>();

  constructor(sync: (directory: string) => Promise<void>) {
    this.#sync = sync;
  }

  sync(directory: string): Promise<void> {
    const before = this.#running.get(directory);
    if (before === undefined) return this.#start(directory);
    const start = (): Promise<void> => this.#start(directory);
    before.next ??= before.done.then(start, start);
    return before.next;
  }

  async #start(directory: string): Promise<void> {
    const running: Running = { done: this.#sync(directory), next: undefined };
    this.#running.set(directory, running);
    try {
      await running.done;
    } finally {
      if (running.next === undefined) this.#running.delete(directory);
    }
  }
}
