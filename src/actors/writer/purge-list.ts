import { TroughError } from '../../errors.ts';
import { type Journal, type JournalKey } from '../../journal/journal.ts';
import { type Log } from '../../log.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

export interface PurgeListDeps {
  readonly clock: Clock;
  readonly log: Log;
}

interface Purge {
  readonly journal: Journal;
  readonly key: JournalKey;
  /** Records below this are in cold storage. */
  readonly below: number;
  readonly dueAt: number;
}

const PURGE_DEADLINE_MS = 10_000;

/**
 * Records that are to go once they are old enough. One that is forgotten, since this process stopped, goes with the segment's next promote; one that is
 * late harms nobody, since what stands below a published state is never read for what it wrote.
 */
export class PurgeList {
  readonly #deps: PurgeListDeps;
  #waiting: Purge[] = [];
  #running: Promise<void> | undefined;

  constructor(deps: PurgeListDeps) {
    this.#deps = deps;
  }

  get length(): number {
    return this.#waiting.length;
  }

  add(journal: Journal, key: JournalKey, below: number, afterMs: number): void {
    this.#waiting.push({ journal, key, below, dueAt: this.#deps.clock.monotonic() + afterMs });
  }

  /** Purges what is due, one after the other. */
  tick(): void {
    this.#running ??= this.#purgeDue().finally(() => {
      this.#running = undefined;
    });
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #purgeDue(): Promise<void> {
    const { clock, log } = this.#deps;
    const now = clock.monotonic();
    const due = this.#waiting.filter(({ dueAt }) => dueAt <= now);
    this.#waiting = this.#waiting.filter(({ dueAt }) => dueAt > now);
    for (const { journal, key, below } of due) {
      try {
        await withDeadline(clock, PURGE_DEADLINE_MS, (signal) => journal.purge(key, below, signal));
      } catch (error) {
        log.info(
          { segment: key.name, err: TroughError.from(error) },
          'records that are in cold storage stay in the journal for now',
        );
      }
    }
  }
}
