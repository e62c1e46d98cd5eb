import { type WriteOutcome, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type RecordedWrite, type WriteRequest } from '../../model/sql-types.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { Turns } from '../../runtime/turns.ts';
import { type DiskReserve } from './disk-reserve.ts';
import { type GroupLog, tooLarge } from './group-log.ts';
import { type HeldLease } from './held-lease.ts';
import { type ChainRecord, type SegmentChain } from './segment-chain.ts';
import { rejectAll, settleAll, sizeOf, type Waiting, WriteQueue, type Written } from './write-queue.ts';

export interface GroupCommitDeps {
  readonly segment: string;
  readonly lease: HeldLease;
  readonly groupLog: GroupLog;
  /** Opens the segment's file again, after its child process has died; throws when the file is not as this one left it. */
  readonly openSession: () => Promise<WriteSession>;
  readonly clock: Clock;
  readonly log: Log;
  /** Most writes that may wait. */
  readonly queueLimit: number;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  /** Asked before a group that the log keeps before it is committed here. */
  readonly reserve: Pick<DiskReserve, 'demand'>;
  /** The file has it. */
  readonly committed: (sequence: number) => void;
  /** The journal had no room for a group. */
  readonly pressed: () => void;
  /** Nothing can be written here any more: `broken` says why. Only a fresh start helps, which finds out what the journal has. */
  readonly failed: () => void;
}

/** With these a record is surely not in the journal and never will be. */
const NOT_KEPT: ReadonlySet<string> = new Set([
  'JOURNAL_FULL',
  'JOURNAL_BUSY',
  'JOURNAL_UNREACHABLE',
  'JOURNAL_TOO_LARGE',
]);
const PRESSED: ReadonlySet<string> = new Set(['JOURNAL_FULL', 'JOURNAL_BUSY']);

/**
 * The writes of one segment. Those that wait share one transaction, one record and one sync (group commit, DeWitt et al., 1984); each has its own
 * savepoint, so that one that fails is undone alone. The record is in the log before the transaction is committed. A log that outlives this node is what an
 * answer stands for, so it is given while the commit is on its way, and the next group is applied right behind it; nothing more is recorded, and nobody
 * reads here, before `settled`. Without such a log the answer waits for the commit. When the child that runs them dies before the record left, what was on its way runs once more, one by one: nothing of it had been kept. Once the record
 * has left, only the log knows: README.md.
 */
export class GroupCommit {
  readonly #deps: GroupCommitDeps;
  readonly #turns = new Turns();
  readonly #queue = new WriteQueue();
  #session: WriteSession;
  #draining: Promise<void> | undefined;
  /** The commit that is on its way; never rejects. */
  #committing: Promise<void> | undefined;
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

  /** How many groups were kept, whether or not the file has the last one yet. */
  get commits(): number {
    return this.#commits;
  }

  /** Why the segment cannot be written any more. */
  get broken(): TroughError | undefined {
    return this.#broken;
  }

  /** Resolves when it is kept: in the log, and committed here. WRITE_QUEUE_FULL, or the error of its SQL or of the log. */
  write(request: WriteRequest, deadlineMs: number, requestId: string): Promise<Written> {
    const { clock, seed, queueLimit, segment, groupLog } = this.#deps;
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#queue.length >= queueLimit) {
      const message = `too many writes wait for '${segment}'; try again shortly`;
      return Promise.reject(new TroughError('WRITE_QUEUE_FULL', message));
    }
    const bytes = sizeOf(request);
    if (bytes > groupLog.limitBytes) return Promise.reject(tooLarge(bytes, groupLog.limitBytes));
    const write = { request, requestId, timeMs: Math.trunc(clock.now()), seed: seed() };
    return new Promise((resolve, reject) => {
      this.#queue.add({ write, bytes, deadlineMs, askedAt: clock.monotonic(), alone: false, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Runs `work` between two groups: the file has everything that was answered. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(async () => {
      await this.settled;
      return work();
    });
  }

  /** Resolves when the file has everything that was answered before, unless the segment is `broken` then. undefined: it has. */
  get settled(): Promise<void> | undefined {
    return this.#committing;
  }

  /** One record of the promotion, between two groups: its sequence. What leaves the chain in doubt fails the segment. */
  append(chain: SegmentChain, record: ChainRecord, deadlineMs: number): Promise<number> {
    return this.between(async () => {
      if (this.#broken !== undefined) throw this.#broken;
      try {
        return await withDeadline(this.#deps.clock, deadlineMs, (signal) => chain.append(record, signal));
      } catch (error) {
        if (!NOT_KEPT.has(TroughError.from(error).code)) this.fail(error);
        throw error;
      }
    });
  }

  /** Resolves when nothing waits, or is on its way. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
    await this.settled;
  }

  async end(): Promise<void> {
    this.#broken ??= new TroughError('SEGMENT_NOT_WRITABLE', `'${this.#deps.segment}' is closed on this node`);
    await this.#session[Symbol.asyncDispose]();
  }

  /** Nothing is written or waits here any more, and `failed` is told. */
  fail(cause: unknown): void {
    if (this.#broken !== undefined) return;
    const { segment, log, failed } = this.#deps;
    log.warn(
      { segment, err: TroughError.from(cause) },
      'a segment is opened afresh: only its journal knows what it has',
    );
    const message = `'${segment}' is being opened again; nothing of this was kept: try again shortly`;
    this.#broken = new TroughError('NODE_UNAVAILABLE', message, { segment }, cause);
    this.#queue.rejectAll(this.#broken);
    failed();
  }

  async #drain(): Promise<void> {
    // Everything that was asked for in this turn of the event loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      // Half: what SQL grows by in a record, and the results, come on top.
      const group = this.#inTime(this.#queue.next(this.#deps.groupLog.limitBytes / 2));
      if (group.length === 0) continue;
      try {
        await this.#turns.take(() => this.#commit(group));
      } catch (error) {
        this.#deps.log.error(
          { segment: this.#deps.segment, err: error },
          'a group of writes failed in an unforeseen way',
        );
        this.#failUnknown(group, TroughError.from(error));
      }
    }
    this.#draining = undefined;
  }

  /** A write that has not begun by its deadline is refused: nothing of it is done. */
  #inTime(group: readonly Waiting[]): readonly Waiting[] {
    const now = this.#deps.clock.monotonic();
    const isLate = ({ alone, askedAt, deadlineMs }: Waiting): boolean => !alone && now - askedAt > deadlineMs;
    const late = group.filter(isLate);
    if (late.length === 0) return group;
    const message = `the write to '${this.#deps.segment}' had not begun by its deadline`;
    rejectAll(late, new TroughError('ENGINE_DEADLINE', message));
    return group.filter((waiting) => !isLate(waiting));
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    if (this.#broken !== undefined) {
      rejectAll(group, this.#broken);
      return;
    }
    if (!(await this.#mayBegin(group))) return;
    const outcomes = await this.#apply(group);
    if (outcomes === undefined) return;
    if (!outcomes.some(({ ok }) => ok)) {
      await this.#rollback();
      settleAll(group, outcomes, 0);
      return;
    }
    const sequence = await this.#record(group, outcomes);
    if (sequence === undefined) return;
    if (!this.#deps.groupLog.isDurable) {
      await this.#commitAlone(group, outcomes, sequence);
      return;
    }
    this.#commits += 1;
    const committing = this.#commitKept(sequence).finally(() => {
      if (this.#committing === committing) this.#committing = undefined;
    });
    this.#committing = committing;
    settleAll(group, outcomes, sequence);
  }

  /** What is in the journal is kept: when it cannot be committed the segment is opened afresh with it, before anybody reads here. */
  async #commitKept(sequence: number): Promise<void> {
    try {
      await this.#session.commit({ sequence });
      this.#deps.committed(sequence);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Without a journal SQLite's refusal (a full disk) is an answer; when the child died with the COMMIT, nobody can say whether it was kept. */
  async #commitAlone(group: readonly Waiting[], outcomes: readonly WriteOutcome[], sequence: number): Promise<void> {
    try {
      await this.#session.commit();
    } catch (thrown) {
      const error = TroughError.from(thrown);
      const unknown = error.code === 'ENGINE_CHILD_DIED' || error.code === 'ENGINE_DEADLINE';
      // What may be there must not be taken for published.
      if (unknown) this.#count(sequence);
      rejectAll(group, unknown ? unknownOutcome(this.#deps.segment, error) : error);
      await this.#reopen();
      return;
    }
    this.#count(sequence);
    settleAll(group, outcomes, sequence);
  }

  async #mayBegin(group: readonly Waiting[]): Promise<boolean> {
    const { groupLog, reserve, lease } = this.#deps;
    try {
      await lease.known();
      if (groupLog.isDurable) await reserve.demand();
      await groupLog.ready();
      return true;
    } catch (error) {
      rejectAll(group, TroughError.from(error));
      return false;
    }
  }

  #count(sequence: number): void {
    this.#commits += 1;
    this.#deps.committed(sequence);
  }

  /** The outcomes with the transaction still open; undefined when the group was answered or queued again. */
  async #apply(group: readonly Waiting[]): Promise<readonly WriteOutcome[] | undefined> {
    const writes = group.map(({ write }) => write);
    let outcomes: readonly WriteOutcome[] | undefined;
    let error: TroughError | undefined;
    try {
      outcomes = await this.#session.apply(writes, longest(group));
    } catch (thrown) {
      error = TroughError.from(thrown);
    }
    // It ran behind the commit of the group before: when that failed it ran on nothing.
    await this.settled;
    if (this.#broken !== undefined) rejectAll(group, this.#broken);
    else if (error !== undefined) await this.#applyFailed(group, error);
    else return outcomes;
    return undefined;
  }

  /**
   * Nothing of the group remains. Who was alone was the cause. A deadline that a single request ran into is its own; anything else may be the
   * fault of a neighbour, in the group or in another segment of that child: each runs once more, by itself.
   */
  async #applyFailed(group: readonly Waiting[], error: TroughError): Promise<void> {
    const cause = group.length === 1 && (group[0]?.alone === true || error.code === 'ENGINE_DEADLINE');
    if (cause) rejectAll(group, error);
    else this.#queue.repeatAlone(group);
    await this.#reopen();
  }

  /** The group's sequence in the log; undefined when the group was answered, or queued again. */
  async #record(group: readonly Waiting[], outcomes: readonly WriteOutcome[]): Promise<number | undefined> {
    const { lease, groupLog } = this.#deps;
    const writes: RecordedWrite[] = [];
    group.forEach(({ write }, index) => {
      const outcome = outcomes[index];
      if (outcome?.ok === true) writes.push({ ...write, results: outcome.results });
    });
    try {
      await lease.markUnpromoted();
    } catch (thrown) {
      rejectAll(group, TroughError.from(thrown));
      await this.#rollback();
      return undefined;
    }
    try {
      return await groupLog.record(writes, this.#session.sqliteVersion, longest(group));
    } catch (thrown) {
      await this.#recordFailed(group, TroughError.from(thrown));
      return undefined;
    }
  }

  async #recordFailed(group: readonly Waiting[], error: TroughError): Promise<void> {
    if (error.code === 'JOURNAL_FENCED') {
      this.fail(error);
      rejectAll(group, this.#broken ?? error);
      return;
    }
    if (!NOT_KEPT.has(error.code) && this.#deps.groupLog.isDurable) {
      this.#failUnknown(group, error);
      return;
    }
    if (error.code === 'JOURNAL_TOO_LARGE' && group.length > 1) this.#queue.repeatAlone(group);
    else rejectAll(group, error);
    if (PRESSED.has(error.code)) this.#deps.pressed();
    await this.#rollback();
  }

  #failUnknown(group: readonly Waiting[], error: TroughError): void {
    this.fail(error);
    rejectAll(group, unknownOutcome(this.#deps.segment, error));
  }

  async #rollback(): Promise<void> {
    await this.#session.rollback().catch(() => this.#reopen());
  }

  /** A child that dies while nothing is asked of it is noticed as well: the next write must not pay for it. */
  #watch(session: WriteSession): void {
    void session.lost.then(() =>
      this.between(async () => {
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
      this.fail(error);
    }
  }
}

function longest(group: readonly Waiting[]): number {
  return Math.max(...group.map(({ deadlineMs }) => deadlineMs));
}

function unknownOutcome(segment: string, error: TroughError): TroughError {
  const message = `the write to '${segment}' may or may not have been kept: ${error.message}`;
  return new TroughError('WRITE_OUTCOME_UNKNOWN', message, error.context, error);
}
