import { type ErrorKind, TroughError } from '../../errors.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { pause } from '../../runtime/pause.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type TailChange } from './change-lines.ts';

export interface TailPage {
  readonly changes: readonly TailChange[];
  readonly next: string;
  readonly more: boolean;
}

export interface FollowerDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** `attempt` grows when another node is to be asked. */
  readonly ask: (attempt: number, position: string | undefined, waitMs: number) => Promise<TailPage>;
  /** How many there are to ask. */
  readonly nodes: number;
  /** False: nobody reads any more. */
  readonly print: (changes: readonly TailChange[]) => Promise<boolean>;
  readonly say: (sentence: string) => Promise<unknown>;
  readonly stop: AbortSignal;
}

const WAIT_MS = 20_000;
/** An empty answer that comes at once is asked for again after this. */
const PACE_MS = 250;
const AGAIN: ReadonlySet<ErrorKind> = new Set(['busy', 'crowded', 'late']);

/**
 * Asks for one page of changes after the other, each from where the last one that was printed ended: so whatever happens to the nodes between two answers, each change is
 * printed once. A node that does not answer is asked again, and others before it, for as long as it takes; but at the very beginning one that is not there is said at once.
 */
export class Follower {
  readonly #deps: FollowerDeps;
  readonly #backoff: Backoff;
  #attempt = 0;
  #hasBegun = false;
  #position: string | undefined;

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff({ firstMs: 200, mostMs: 5_000 }, deps.random);
  }

  /** Everything up to here was printed; undefined: nobody has answered yet, and nothing was asked for. */
  get position(): string | undefined {
    return this.#position;
  }

  /** Until it is stopped, or without `follow` until there is nothing more now. Throws what another try would not mend. */
  async run(since: string | undefined, follow: boolean): Promise<void> {
    const { clock, print, stop } = this.#deps;
    this.#position = since;
    let waitMs = 0;
    while (!stop.aborted) {
      const begunAt = clock.monotonic();
      const page = await this.#next(waitMs);
      if (page === undefined) continue;
      const isRead = page.changes.length === 0 || (await print(page.changes));
      if (!isRead) return;
      this.#position = page.next;
      if (!follow && !page.more) return;
      const isIdle = page.changes.length === 0 && waitMs > 0 && clock.monotonic() - begunAt < PACE_MS;
      if (isIdle) await pause(clock, PACE_MS, stop);
      waitMs = page.more || !follow ? 0 : WAIT_MS;
    }
  }

  /** undefined: not now, or stopped. */
  async #next(waitMs: number): Promise<TailPage | undefined> {
    const { ask, stop, say } = this.#deps;
    try {
      const page = await ask(this.#attempt, this.#position, waitMs);
      if (this.#hasBegun && this.#backoff.attempts > 0) await say('going on');
      this.#hasBegun = true;
      this.#backoff.reset();
      return page;
    } catch (error) {
      if (stop.aborted) return undefined;
      await this.#failed(TroughError.from(error));
      return undefined;
    }
  }

  async #failed(error: TroughError): Promise<void> {
    const { clock, nodes, say, stop } = this.#deps;
    this.#attempt += 1;
    if (!AGAIN.has(error.kind) || (!this.#hasBegun && this.#attempt >= nodes)) throw error;
    if (this.#backoff.attempts === nodes) await say(`${error.message}; trying until it does`);
    await pause(clock, this.#backoff.next(), stop);
  }
}
