import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine, type WriteOutcome, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type StatementResult, type WriteRequest } from '../../model/sql-types.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';
import { Turns } from '../../runtime/turns.ts';
import { type HeldLease } from './held-lease.ts';

export interface Written {
  readonly results: readonly StatementResult[];
  readonly sequence: number;
}

export interface HotSegmentDeps {
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly log: Log;
  /** Most writes that may wait. */
  readonly queueLimit: number;
}

interface Waiting {
  readonly request: WriteRequest;
  readonly deadlineMs: number;
  /** It shared a group that was killed at its deadline, so it runs by itself now. */
  readonly alone: boolean;
  readonly resolve: (written: Written) => void;
  readonly reject: (error: TroughError) => void;
}

/** A group larger than this waits no longer for its one sync than several smaller ones would. */
const LARGEST_GROUP = 512;

/**
 * One segment that is open for writing here. Requests that wait share one transaction and one sync (group commit, as in DeWitt et al., 1984);
 * each has its own savepoint, so that one that fails is undone alone.
 */
export class HotSegment {
  readonly id: SegmentId;
  readonly file: string;
  readonly lease: HeldLease;
  readonly #deps: HotSegmentDeps;
  readonly #turns = new Turns();
  #session: WriteSession;
  #queue: Waiting[] = [];
  #draining: Promise<void> | undefined;
  #promoting: Promise<Published> | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #commits = 0;
  #lastWriteAt: number;
  #unpromotedAt: number | undefined;

  constructor(id: SegmentId, lease: HeldLease, session: WriteSession, deps: HotSegmentDeps) {
    this.id = id;
    this.file = deps.paths.hot(id);
    this.lease = lease;
    this.#session = session;
    this.#deps = deps;
    this.#lastWriteAt = deps.clock.monotonic();
    if (lease.unpromoted) this.#unpromotedAt = this.#lastWriteAt;
  }

  /** ms since the last write, or since it was opened. */
  get idleMs(): number {
    return this.#deps.clock.monotonic() - this.#lastWriteAt;
  }

  /** ms since the oldest write that is not in cold storage; 0 when there is none. */
  get unpromotedMs(): number {
    return this.#unpromotedAt === undefined ? 0 : this.#deps.clock.monotonic() - this.#unpromotedAt;
  }

  get sizeBytes(): number {
    return this.#session.sizeBytes;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Resolves when it is committed and on disk. WRITE_QUEUE_FULL, SEGMENT_NOT_WRITABLE while it closes, or the error of its SQL. */
  write(request: WriteRequest, deadlineMs: number): Promise<Written> {
    if (this.#state !== 'open') return Promise.reject(this.#closed());
    if (this.#queue.length >= this.#deps.queueLimit) {
      return Promise.reject(
        new TroughError('WRITE_QUEUE_FULL', `too many writes wait for '${this.id}'; try again shortly`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, deadlineMs, alone: false, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Publishes the committed state to cold storage. Two at a time are one. Writes go on meanwhile. */
  promote(): Promise<Published> {
    if (this.#state === 'closed') return Promise.reject(this.#closed());
    this.#promoting ??= this.#promote().finally(() => {
      this.#promoting = undefined;
    });
    return this.#promoting;
  }

  /** Takes no more writes, publishes what is unpublished, gives the lease up and removes the hot file. */
  async close(options: { discard: boolean }): Promise<Published | undefined> {
    if (this.#state !== 'open') throw this.#closed();
    this.#state = 'closing';
    try {
      await this.#settled();
      const published = options.discard ? undefined : await this.promote();
      await this.lease.giveUp(options.discard ? 'shredded' : 'released');
      await this.#end();
      await this.#deps.disk.removeDatabase(this.file);
      return published;
    } catch (error) {
      this.#state = 'open';
      throw error;
    }
  }

  /** Stops without giving the lease up: the file stays, the next start of this node opens it again. */
  async suspend(): Promise<void> {
    this.#state = 'closing';
    await this.#settled();
    await this.#end();
  }

  async #settled(): Promise<void> {
    await this.#promoting?.catch(() => undefined);
    while (this.#draining !== undefined) await this.#draining;
  }

  async #end(): Promise<void> {
    this.#state = 'closed';
    await this.#session[Symbol.asyncDispose]();
  }

  #closed(): TroughError {
    return new TroughError(
      'SEGMENT_NOT_WRITABLE',
      `'${this.id}' is being closed on this node; provision it to write again`,
    );
  }

  async #drain(): Promise<void> {
    // Everything that was asked for in this turn of the event loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#nextGroup();
      await this.#turns.take(() => this.#commit(group));
    }
    this.#draining = undefined;
  }

  #nextGroup(): Waiting[] {
    if (this.#queue[0]?.alone === true) return this.#queue.splice(0, 1);
    const lonely = this.#queue.findIndex(({ alone }) => alone);
    return this.#queue.splice(0, Math.min(LARGEST_GROUP, lonely === -1 ? this.#queue.length : lonely));
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const outcomes = await this.#apply(group);
    if (outcomes === undefined) return;
    const anyDone = outcomes.some(({ ok }) => ok);
    if (anyDone && !(await this.#stillHeld(group))) return;
    try {
      if (anyDone) {
        await this.#session.commit();
        this.#commits += 1;
        this.#lastWriteAt = this.#deps.clock.monotonic();
        this.#unpromotedAt ??= this.#lastWriteAt;
      } else {
        await this.#session.rollback();
      }
    } catch (error) {
      await this.#commitFailed(group, error);
      return;
    }
    const sequence = this.#commits;
    group.forEach((waiting, index) => {
      settle(waiting, outcomes[index], sequence);
    });
  }

  /** The outcomes with the transaction still open; undefined when the group was answered or queued again. */
  async #apply(group: readonly Waiting[]): Promise<readonly WriteOutcome[] | undefined> {
    try {
      await this.lease.markUnpromoted();
    } catch (error) {
      for (const { reject } of group) reject(TroughError.from(error));
      return undefined;
    }
    try {
      const deadlineMs = Math.max(...group.map((waiting) => waiting.deadlineMs));
      return await this.#session.apply(
        group.map(({ request }) => request),
        deadlineMs,
      );
    } catch (error) {
      await this.#applyFailed(group, TroughError.from(error));
      return undefined;
    }
  }

  /** Nothing of the group remains. One request was the cause: each runs again by itself, so that only that one fails. */
  async #applyFailed(group: readonly Waiting[], error: TroughError): Promise<void> {
    const [only] = group;
    if (group.length === 1 && only !== undefined) only.reject(error);
    else this.#queue.unshift(...group.map((waiting) => ({ ...waiting, alone: true })));
    await this.#reopen();
  }

  /** False when the lease is not surely ours: the group is undone and answered with why. */
  async #stillHeld(group: readonly Waiting[]): Promise<boolean> {
    try {
      await this.lease.assertHeld();
      return true;
    } catch (thrown) {
      for (const { reject } of group) reject(TroughError.from(thrown));
      await this.#session.rollback().catch(() => this.#reopen());
      return false;
    }
  }

  /** The child died with the COMMIT: nobody can say whether it was kept. */
  async #commitFailed(group: readonly Waiting[], thrown: unknown): Promise<void> {
    const error = TroughError.from(thrown);
    const unknown = new TroughError(
      'WRITE_OUTCOME_UNKNOWN',
      `the write to '${this.id}' may or may not have been kept: ${error.message}`,
      { segment: this.id },
      error,
    );
    for (const { reject } of group) reject(unknown);
    await this.#reopen();
  }

  async #reopen(): Promise<void> {
    try {
      await this.#session[Symbol.asyncDispose]();
    } catch (error) {
      this.#deps.log.debug({ segment: this.id, err: error }, 'a broken write session did not close');
    }
    try {
      this.#session = await this.#deps.engine.openWriter({ segment: this.id, file: this.file });
    } catch (error) {
      this.#deps.log.error({ segment: this.id, err: error }, 'a segment could not be opened again for writing');
      this.#state = 'closed';
      const failure = new TroughError(
        'SEGMENT_NOT_WRITABLE',
        `'${this.id}' could not be opened again on this node`,
        {},
        error,
      );
      for (const { reject } of this.#queue.splice(0)) reject(failure);
    }
  }

  async #promote(): Promise<Published> {
    const published = this.lease.published;
    if (published !== undefined && !this.lease.unpromoted) return published;
    await this.#turns.take(() => this.lease.setUnderPromotion(true));
    const snapshotFile = this.#deps.paths.temporary(this.id, `${String(this.lease.epoch)}-${String(this.#commits)}`);
    try {
      const commits = this.#commits;
      const startedAt = this.#deps.clock.monotonic();
      const snapshot = await this.#session.snapshot(snapshotFile);
      const file = await this.#deps.cold.publish(this.id, snapshotFile, snapshot.sha256);
      const result: Published = {
        version: nextVersion(this.lease.version, file.modifiedMs),
        sizeBytes: snapshot.sizeBytes,
        sha256: snapshot.sha256,
        path: file.path,
        modifiedMs: file.modifiedMs,
      };
      // Between groups, so that no write can slip between the comparison and the document.
      await this.#turns.take(() => this.lease.setPublished(result, { unpromoted: this.#commits !== commits }));
      this.#unpromotedAt = this.#commits === commits ? undefined : startedAt;
      return result;
    } catch (error) {
      await this.#turns.take(() => this.lease.setUnderPromotion(false)).catch(() => undefined);
      throw error;
    } finally {
      await this.#deps.disk.removeDatabase(snapshotFile);
    }
  }
}

function settle(waiting: Waiting, outcome: WriteOutcome | undefined, sequence: number): void {
  if (outcome === undefined) waiting.reject(new TroughError('INTERNAL', 'a write has no outcome'));
  else if (outcome.ok) waiting.resolve({ results: outcome.results, sequence });
  else waiting.reject(TroughError.fromRecord(outcome.error));
}
