import { type Clock } from '../../runtime/clock.ts';

/**
 * What became of requests that a client may send again under the same id: one under way is waited for, one that was applied is answered as before. One
 * that failed left nothing, so it is not remembered.
 */
export class AnsweredRequests<T> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #known = new Map<string, Promise<T>>();
  #applied: { readonly id: string; readonly at: number }[] = [];

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  /** The answer that the id has, or that of `run`, which is then the id's. */
  once(id: string, run: () => Promise<T>): Promise<T> {
    this.#forgetOld();
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const answer = run();
    this.#known.set(id, answer);
    answer.then(
      () => this.#applied.push({ id, at: this.#clock.monotonic() }),
      () => this.#known.delete(id),
    );
    return answer;
  }

  /** One that was applied before this process knew of it. */
  add(id: string, answer: T): void {
    this.#known.set(id, Promise.resolve(answer));
    this.#applied.push({ id, at: this.#clock.monotonic() });
  }

  get size(): number {
    return this.#known.size;
  }

  #forgetOld(): void {
    const limit = this.#clock.monotonic() - this.#keepMs;
    const kept = this.#applied.findIndex(({ at }) => at >= limit);
    const old = this.#applied.splice(0, kept === -1 ? this.#applied.length : kept);
    for (const { id } of old) this.#known.delete(id);
  }
}
