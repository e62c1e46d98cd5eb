import { type Batch } from './batches.ts';

/** Keeps several segments busy, each with one batch at a time and in order; `submit` waits when enough is under way. */
export class Dispatcher {
  readonly #work: (batch: Batch) => Promise<void>;
  readonly #parallel: number;
  readonly #tails = new Map<string, Promise<void>>();
  readonly #waiters: (() => void)[] = [];
  #running = 0;
  #pending = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(work: (batch: Batch) => Promise<void>, parallel: number) {
    this.#work = work;
    this.#parallel = parallel;
  }

  /** Resolves when there is room for more; throws the first failure of any batch. */
  async submit(batch: Batch): Promise<void> {
    await this.#until(() => this.#pending < this.#parallel * 2);
    this.#pending += 1;
    const before = this.#tails.get(batch.segment) ?? Promise.resolve();
    const task = this.#run(before, batch);
    this.#tails.set(batch.segment, task);
    void task.then(() => {
      if (this.#tails.get(batch.segment) === task) this.#tails.delete(batch.segment);
    });
  }

  /** Resolves when nothing is under way any more; throws the first failure. */
  async drain(): Promise<void> {
    await this.#until(() => this.#pending === 0);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Never rejects: the failure is kept, and batches that have not begun are dropped. */
  async #run(before: Promise<void>, batch: Batch): Promise<void> {
    await before;
    while (this.#running >= this.#parallel) await this.#change();
    this.#running += 1;
    try {
      if (this.#failure === undefined) await this.#work(batch);
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#running -= 1;
      this.#pending -= 1;
      for (const wake of this.#waiters.splice(0)) wake();
    }
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await this.#change();
    if (this.#failure !== undefined && this.#pending < this.#parallel * 2) {
      while (this.#pending > 0) await this.#change();
      throw this.#failure.error;
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}
