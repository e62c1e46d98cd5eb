import { TroughError } from '../errors.ts';

export interface KeyedTasksOptions {
  /** Most tasks that run at one time, over all keys. */
  readonly parallel: number;
  /** Most tasks that may wait; one more is refused with MAILBOX_FULL. */
  readonly waiting: number;
}

/**
 * Runs asynchronous tasks: those of one key one after another in the order they came, those of different keys side by side.
 * For actors whose messages each need a port for a while: `receive` starts the task and is ready for the next message.
 */
export class KeyedTasks {
  readonly #options: KeyedTasksOptions;
  readonly #tails = new Map<string, Promise<void>>();
  readonly #permits: (() => void)[] = [];
  #running = 0;
  #pending = 0;

  constructor(options: KeyedTasksOptions) {
    this.#options = options;
  }

  /** The task's result, when its turn has come and it is done. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    if (this.#pending >= this.#options.waiting + this.#options.parallel) {
      throw new TroughError('MAILBOX_FULL', 'too many requests wait; try again shortly', {
        waiting: this.#options.waiting,
      });
    }
    this.#pending += 1;
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(() => this.#withPermit(task));
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      this.#pending -= 1;
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** Resolves when no task runs or waits. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  async #withPermit<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.parallel) {
      await new Promise<void>((resolve) => this.#permits.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await task();
    } finally {
      const next = this.#permits.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
