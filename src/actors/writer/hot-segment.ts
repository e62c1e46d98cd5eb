import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type WriteRequest } from '../../model/sql-types.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';
import { GroupCommit, type Written } from './group-commit.ts';
import { type HeldLease } from './held-lease.ts';

export interface HotSegmentDeps {
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly log: Log;
  /** Most writes that may wait. */
  readonly queueLimit: number;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
}

/** One segment that is open for writing here, from its opening to its release. */
export class HotSegment {
  readonly id: SegmentId;
  readonly file: string;
  readonly lease: HeldLease;
  readonly sizeBytes: number;
  readonly #deps: HotSegmentDeps;
  readonly #writes: GroupCommit;
  #promoting: { readonly done: Promise<Published>; readonly commits: number } | undefined;
  #state: 'open' | 'closing' | 'discarding' | 'closed' = 'open';
  #lastWriteAt: number;
  #unpromotedAt: number | undefined;

  constructor(id: SegmentId, lease: HeldLease, session: WriteSession, deps: HotSegmentDeps) {
    this.id = id;
    this.file = deps.paths.hot(id);
    this.lease = lease;
    this.sizeBytes = session.sizeBytes;
    this.#deps = deps;
    this.#lastWriteAt = deps.clock.monotonic();
    if (lease.unpromoted) this.#unpromotedAt = this.#lastWriteAt;
    this.#writes = new GroupCommit(session, {
      ...deps,
      segment: id,
      lease,
      openSession: () => deps.engine.openWriter({ segment: id, file: this.file }),
      committed: () => {
        this.#lastWriteAt = deps.clock.monotonic();
        this.#unpromotedAt ??= this.#lastWriteAt;
      },
    });
  }

  /** ms since the last write, or since it was opened. */
  get idleMs(): number {
    return this.#deps.clock.monotonic() - this.#lastWriteAt;
  }

  /** ms since the oldest write that is not in cold storage; 0 when there is none. */
  get unpromotedMs(): number {
    return this.#unpromotedAt === undefined ? 0 : this.#deps.clock.monotonic() - this.#unpromotedAt;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** It could not be opened again after its child died: only a fresh start of it may help. */
  get broken(): boolean {
    return this.#writes.broken !== undefined;
  }

  /** Resolves when it is committed and on disk. WRITE_QUEUE_FULL, SEGMENT_NOT_WRITABLE while it closes, or the error of its SQL. */
  write(request: WriteRequest, deadlineMs: number): Promise<Written> {
    return this.#state === 'open' ? this.#writes.write(request, deadlineMs) : Promise.reject(this.#closed());
  }

  /** Publishes the committed state to cold storage, every write that was answered before. Two at a time are one. Writes go on meanwhile. */
  promote(): Promise<Published> {
    // Once it is to be discarded, a publish would bring back what is being deleted.
    if (this.#state === 'closed' || this.#state === 'discarding') return Promise.reject(this.#closed());
    return this.#joinPromote();
  }

  #joinPromote(): Promise<Published> {
    const running = this.#promoting;
    if (running !== undefined) {
      // One that began before the last write has not seen it.
      if (running.commits === this.#writes.commits) return running.done;
      return running.done.then(
        () => this.#joinPromote(),
        () => this.#joinPromote(),
      );
    }
    const done = this.#promote().finally(() => {
      this.#promoting = undefined;
    });
    this.#promoting = { done, commits: this.#writes.commits };
    return done;
  }

  /** Takes no more writes, publishes what is unpublished, gives the lease up and removes the hot file. On an error it is open as before. */
  async close(options: { discard: boolean }): Promise<Published | undefined> {
    if (this.#state !== 'open') throw this.#closed();
    this.#state = options.discard ? 'discarding' : 'closing';
    let published: Published | undefined;
    try {
      await this.#settled();
      if (!options.discard) published = await this.#joinPromote();
      // One that was under way before the last write has not seen it.
      while (!options.discard && this.lease.unpromoted) published = await this.#joinPromote();
      await this.lease.giveUp(options.discard ? 'shredded' : 'released');
    } catch (error) {
      this.#state = 'open';
      throw error;
    }
    await this.#end();
    await this.#deps.disk.removeDatabase(this.file);
    return published;
  }

  /** Stops without giving the lease up: the file stays, the next start of this node opens it again. */
  async suspend(): Promise<void> {
    this.#state = 'closing';
    await this.#settled();
    await this.#end();
  }

  async #settled(): Promise<void> {
    await this.#promoting?.done.catch(() => undefined);
    await this.#writes.idle();
  }

  async #end(): Promise<void> {
    this.#state = 'closed';
    await this.#writes.end();
  }

  #closed(): TroughError {
    const message = `'${this.id}' is being closed on this node; provision it to write again`;
    return new TroughError('SEGMENT_NOT_WRITABLE', message, { segment: this.id });
  }

  async #promote(): Promise<Published> {
    const published = this.lease.published;
    if (published !== undefined && !this.lease.unpromoted) return published;
    await this.#writes.between(() => this.lease.setUnderPromotion(true));
    const { commits } = this.#writes;
    const startedAt = this.#deps.clock.monotonic();
    try {
      const result = await this.#publish();
      // Between groups, so that no write can slip between the comparison and the document.
      await this.#writes.between(() =>
        this.lease.setPublished(result, { unpromoted: this.#writes.commits !== commits }),
      );
      this.#unpromotedAt = this.#writes.commits === commits ? undefined : startedAt;
      return result;
    } catch (error) {
      await this.#writes
        .between(() => this.lease.setUnderPromotion(false))
        .catch((flagError: unknown) => {
          this.#deps.log.warn(
            { segment: this.id, err: TroughError.from(flagError) },
            'the end of a promote that failed was not noted',
          );
        });
      throw error;
    }
  }

  async #publish(): Promise<Published> {
    const { paths, cold, disk } = this.#deps;
    const file = paths.temporary(this.id, `${String(this.lease.epoch)}-${String(this.#writes.commits)}`);
    await disk.makeDirectoryOf(file);
    try {
      const { sizeBytes, sha256 } = await this.#writes.session.snapshot(file);
      await this.lease.assertHeld();
      const { path, modifiedMs } = await cold.publish(this.id, file, sha256);
      return { version: nextVersion(this.lease.version, modifiedMs), sizeBytes, sha256, path, modifiedMs };
    } finally {
      await disk.removeDatabase(file);
    }
  }
}
