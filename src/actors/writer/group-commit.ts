import { type WriteOutcome, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type StampedWrite, type StatementResult, type WriteRequest } from '../../model/sql-types.ts';
import { type Clock } from '../../runtime/clock.ts';
import { Turns } from '../../runtime/turns.ts';
import { type HeldLease } from './held-lease.ts';

export interface Written {
  readonly results: readonly StatementResult[];
  readonly sequence: number;
}

export interface GroupCommitDeps {
  readonly segment: string;
  readonly lease: HeldLease;
  /** Opens the segment's file again, after its child process has died. */
  readonly openSession: () => Promise<WriteSession>;
  readonly clock: Clock;
  readonly log: Log;
  /** Most writes that may wait. */
  readonly queueLimit: number;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  readonly committed: () => void;
}

interface Waiting {
  readonly write: StampedWrite;
  readonly deadlineMs: number;
  readonly askedAt: number;
  /** It was in a group whose child was killed, so it runs once more, by itself. */
  readonly alone: boolean;
  readonly resolve: (written: Written) => void;
  readonly reject: (error: TroughError) => void;
}

/** A group larger than this waits no longer for its one sync than several smaller ones would. */
const LARGEST_GROUP = 512;

/**
 * The writes of one segment. Those that wait share one transaction and one sync (group commit, DeWitt et al., 1984); each has its own
 * savepoint, so that one that fails is undone alone. When the child that runs them dies, the segment is opened again and what was on its
 * way runs once more, one by one: nothing of it had been committed.
 */
export class GroupCommit {
  readonly #deps: GroupCommitDeps;
  readonly #turns = new Turns();
  #session: WriteSession;
  #queue: Waiting[] = [];
  #draining: Promise<void> | undefined;
  #commits = 0;
  #broken: TroughError | undefined;

  constructor(session: WriteSession, deps: GroupCommitDeps) {
    this.#session = session;
    this.#deps = deps;
    this.#watch(session);
  }

  get session(): WriteSession {
    return this.#session;
  }

  /** How many groups were committed. */
  get commits(): number {
    return this.#commits;
  }

  /** Why the segment cannot be written any more, when it could not be opened again. */
  get broken(): TroughError | undefined {
    return this.#broken;
  }

  /** Resolves when it is committed and on disk. WRITE_QUEUE_FULL, or the error of its SQL. */
  write(request: WriteRequest, deadlineMs: number): Promise<Written> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#queue.length >= this.#deps.queueLimit) {
      const message = `too many writes wait for '${this.#deps.segment}'; try again shortly`;
      return Promise.reject(new TroughError('WRITE_QUEUE_FULL', message));
    }
    const { clock, seed } = this.#deps;
    const write = { request, requestId: seed(), timeMs: Math.trunc(clock.now()), seed: seed() };
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, deadlineMs, askedAt: clock.monotonic(), alone: false, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Runs `work` between two groups. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(work);
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async end(): Promise<void> {
    this.#broken ??= new TroughError('SEGMENT_NOT_WRITABLE', `'${this.#deps.segment}' is closed on this node`);
    await this.#session[Symbol.asyncDispose]();
  }

  async #drain(): Promise<void> {
    // Everything that was asked for in this turn of the event loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#inTime(this.#nextGroup());
      if (group.length === 0) continue;
      try {
        await this.#turns.take(() => this.#commit(group));
      } catch (error) {
        this.#deps.log.error(
          { segment: this.#deps.segment, err: error },
          'a group of writes failed in an unforeseen way',
        );
        rejectAll(group, TroughError.from(error));
      }
    }
    this.#draining = undefined;
  }

  /** A write that has not begun by its deadline is refused: nothing of it is done. */
  #inTime(group: readonly Waiting[]): readonly Waiting[] {
    const now = this.#deps.clock.monotonic();
    const isLate = ({ alone, askedAt, deadlineMs }: Waiting): boolean => !alone && now - askedAt > deadlineMs;
    const message = `the write to '${this.#deps.segment}' had not begun by its deadline`;
    rejectAll(group.filter(isLate), new TroughError('ENGINE_DEADLINE', message));
    return group.filter((waiting) => !isLate(waiting));
  }

  #nextGroup(): Waiting[] {
    if (this.#queue[0]?.alone === true) return this.#queue.splice(0, 1);
    const lonely = this.#queue.findIndex(({ alone }) => alone);
    return this.#queue.splice(0, Math.min(LARGEST_GROUP, lonely === -1 ? this.#queue.length : lonely));
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    if (this.#broken !== undefined) {
      rejectAll(group, this.#broken);
      return;
    }
    const outcomes = await this.#apply(group);
    if (outcomes === undefined) return;
    const anyDone = outcomes.some(({ ok }) => ok);
    if (anyDone && !(await this.#stillHeld(group))) return;
    try {
      if (anyDone) await this.#session.commit();
      else await this.#session.rollback();
    } catch (error) {
      await this.#commitFailed(group, TroughError.from(error));
      return;
    }
    if (anyDone) this.#count();
    const sequence = this.#commits;
    group.forEach((waiting, index) => {
      settle(waiting, outcomes[index], sequence);
    });
  }

  #count(): void {
    this.#commits += 1;
    this.#deps.committed();
  }

  /** The outcomes with the transaction still open; undefined when the group was answered or queued again. */
  async #apply(group: readonly Waiting[]): Promise<readonly WriteOutcome[] | undefined> {
    const writes = group.map(({ write }) => write);
    const deadlineMs = Math.max(...group.map((waiting) => waiting.deadlineMs));
    try {
      return await this.#session.apply(writes, deadlineMs);
    } catch (error) {
      await this.#applyFailed(group, TroughError.from(error));
      return undefined;
    }
  }

  /**
   * Nothing of the group remains. Who was alone was the cause. A deadline that a single request ran into is its own; anything else may be the
   * fault of a neighbour, in the group or in another segment of that child: each runs once more, by itself.
   */
  async #applyFailed(group: readonly Waiting[], error: TroughError): Promise<void> {
    const cause = group.length === 1 && (group[0]?.alone === true || error.code === 'ENGINE_DEADLINE');
    if (cause) rejectAll(group, error);
    else this.#queue.unshift(...group.map((waiting) => ({ ...waiting, alone: true })));
    await this.#reopen();
  }

  /** False when the lease is not surely ours, or cannot say that there is something unpublished: the group is undone and answered with why. */
  async #stillHeld(group: readonly Waiting[]): Promise<boolean> {
    try {
      await this.#deps.lease.markUnpromoted();
      await this.#deps.lease.assertHeld();
      return true;
    } catch (thrown) {
      rejectAll(group, TroughError.from(thrown));
      await this.#session.rollback().catch(() => this.#reopen());
      return false;
    }
  }

  /** SQLite's refusal (a full disk) is an answer. When the child died with the COMMIT, nobody can say whether it was kept. */
  async #commitFailed(group: readonly Waiting[], error: TroughError): Promise<void> {
    const unknown = error.code === 'ENGINE_CHILD_DIED' || error.code === 'ENGINE_DEADLINE';
    // What may be there must not be taken for published.
    if (unknown) this.#count();
    const message = `the write to '${this.#deps.segment}' may or may not have been kept: ${error.message}`;
    rejectAll(group, unknown ? new TroughError('WRITE_OUTCOME_UNKNOWN', message, error.context, error) : error);
    await this.#reopen();
  }

  /** A child that dies while nothing is asked of it is noticed as well: the next write must not pay for it. */
  #watch(session: WriteSession): void {
    void session.lost.then(() =>
      this.#turns.take(async () => {
        if (this.#session === session && this.#broken === undefined) await this.#reopen();
      }),
    );
  }

  async #reopen(): Promise<void> {
    const { segment, log, openSession } = this.#deps;
    try {
      await this.#session[Symbol.asyncDispose]();
    } catch (error) {
      log.debug({ segment, err: error }, 'a broken write session did not close');
    }
    try {
      this.#session = await openSession();
      this.#watch(this.#session);
    } catch (error) {
      log.error({ segment, err: error }, 'a segment could not be opened again for writing');
      const message = `'${segment}' could not be opened again on this node`;
      this.#broken = new TroughError('NODE_UNAVAILABLE', message, { segment }, error);
      rejectAll(this.#queue.splice(0), this.#broken);
    }
  }
}

function rejectAll(group: readonly Waiting[], error: TroughError): void {
  for (const { reject } of group) reject(error);
}

function settle(waiting: Waiting, outcome: WriteOutcome | undefined, sequence: number): void {
  if (outcome === undefined) waiting.reject(new TroughError('INTERNAL', 'a write has no outcome'));
  else if (outcome.ok) waiting.resolve({ results: outcome.results, sequence });
  else waiting.reject(TroughError.fromRecord(outcome.error));
}
