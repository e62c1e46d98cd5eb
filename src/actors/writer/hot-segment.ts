import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type Published } from '../../messages/node-messages.ts';
import { appliedMark } from '../../model/applied-mark.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type WriteRequest } from '../../model/sql-types.ts';
import { type Clock } from '../../runtime/clock.ts';
import { AnsweredRequests } from './answered-requests.ts';
import { type KnownAnswer } from './chain-survey.ts';
import { type DiskReserve } from './disk-reserve.ts';
import { GroupCommit } from './group-commit.ts';
import { type GroupLog, JournalLog, LocalLog } from './group-log.ts';
import { type HeldLease } from './held-lease.ts';
import { type JournalPlace, Publication } from './publication.ts';
import { type PurgeList } from './purge-list.ts';
import { ANSWERS_KEPT_MS } from './segment-chain.ts';
import { type Written } from './write-queue.ts';

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
  /** With so much in the journal since the last promote the next one is due. */
  readonly promoteBytes: number;
  readonly purges: PurgeList;
  readonly reserve: Pick<DiskReserve, 'demand'>;
  /** Nothing can be written any more: it is to be opened afresh. */
  readonly failed: (hot: HotSegment) => void;
}

export interface HotContent {
  readonly session: WriteSession;
  /** undefined: without a journal. */
  readonly place?: JournalPlace | undefined;
  /** With a journal: the sequence that the file has applied. Default 0. */
  readonly applied?: number;
  /** What was in the journal already, and not in cold storage. Default 0. */
  readonly backlogBytes?: number;
  /** Of all states that were meant to be published. */
  readonly highestVersion?: number;
  /** Of requests that may come again. */
  readonly answers?: readonly KnownAnswer[];
}

const CLOSE_DEADLINE_MS = 60_000;

/** One segment that is open for writing here, from its opening to its release. */
export class HotSegment {
  readonly id: SegmentId;
  readonly file: string;
  readonly lease: HeldLease;
  readonly sizeBytes: number;
  readonly #deps: HotSegmentDeps;
  readonly #place: JournalPlace | undefined;
  readonly #log: GroupLog;
  readonly #writes: GroupCommit;
  readonly #publication: Publication;
  readonly #answers: AnsweredRequests<Written>;
  #promoting: { readonly done: Promise<Published>; readonly commits: number } | undefined;
  #state: 'open' | 'closing' | 'discarding' | 'leaving' | 'closed' = 'open';
  #lastWriteAt: number;
  #unpromotedAt: number | undefined;
  /** The sequence that the file has applied. */
  #committed: number;
  /** The journal had no room lately. */
  #pressed = false;
  /** What was recorded before the last promote. Less than 0: what was there when the segment was opened counts too. */
  #promotedBytes: number;

  constructor(id: SegmentId, lease: HeldLease, content: HotContent, deps: HotSegmentDeps) {
    this.id = id;
    this.file = deps.paths.hot(id);
    this.lease = lease;
    this.sizeBytes = content.session.sizeBytes;
    this.#deps = deps;
    this.#place = content.place;
    this.#lastWriteAt = deps.clock.monotonic();
    if (lease.unpromoted) this.#unpromotedAt = this.#lastWriteAt;
    this.#promotedBytes = -(content.backlogBytes ?? 0);
    this.#committed = content.applied ?? 0;
    this.#log = logOf(lease, content.place, deps.clock);
    this.#writes = new GroupCommit(content.session, {
      ...deps,
      segment: id,
      lease,
      groupLog: this.#log,
      openSession: () => this.#openAgain(),
      committed: (sequence) => {
        this.#committed = sequence;
        this.#lastWriteAt = deps.clock.monotonic();
        this.#unpromotedAt ??= this.#lastWriteAt;
      },
      pressed: () => {
        this.#pressed = true;
      },
      failed: () => {
        deps.failed(this);
      },
    });
    const segment = { id, lease, writes: this.#writes, place: content.place };
    this.#publication = new Publication(deps, segment, content.highestVersion ?? 0);
    this.#answers = new AnsweredRequests(deps.clock, ANSWERS_KEPT_MS);
    for (const { requestId, ...written } of content.answers ?? []) this.#answers.add(requestId, written);
  }

  /** ms since the last write, or since it was opened. */
  get idleMs(): number {
    return this.#deps.clock.monotonic() - this.#lastWriteAt;
  }

  /** ms since the oldest write that is not in cold storage; 0 when there is none. */
  get unpromotedMs(): number {
    return this.#unpromotedAt === undefined ? 0 : this.#deps.clock.monotonic() - this.#unpromotedAt;
  }

  /** Since the last promote the journal had no room for a write, or took in much. */
  get isPressed(): boolean {
    return this.#pressed || this.backlogBytes >= this.#deps.promoteBytes;
  }

  /** Of the writes in the journal that are not in cold storage, about: so much has whoever opens the segment next to read. */
  get backlogBytes(): number {
    return this.#log.recordedBytes - this.#promotedBytes;
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Resolves when a read of the file shows everything that was acknowledged before, and the lease is ours: a strong answer is safe then. */
  async assertCurrent(): Promise<void> {
    const { settled } = this.#writes;
    if (settled !== undefined) {
      await settled;
      if (this.#writes.broken !== undefined) throw this.#writes.broken;
    }
    await this.lease.assertHeld();
  }

  /** Its writes are in a journal, so another node can go on from there. */
  get isJournaled(): boolean {
    return this.#place !== undefined;
  }

  /** What is asked of it now is answered with everything that was acknowledged: it is neither broken nor on its way to another node. */
  get isReadable(): boolean {
    return !this.broken && this.#state !== 'leaving' && this.#state !== 'closed';
  }

  /** Only a fresh start of it may help: its child could not be opened again, or only the journal knows what it has. */
  get broken(): boolean {
    return this.#writes.broken !== undefined;
  }

  /**
   * Resolves when it is kept. A request whose id (not empty) was applied before is answered as then and not applied again. WRITE_QUEUE_FULL,
   * SEGMENT_NOT_WRITABLE while it closes, or the error of its SQL or of the journal.
   */
  write(request: WriteRequest, deadlineMs: number, requestId = ''): Promise<Written> {
    const run = (): Promise<Written> =>
      this.#state === 'open' ? this.#writes.write(request, deadlineMs, requestId) : Promise.reject(this.#closed());
    return requestId === '' ? run() : this.#answers.once(requestId, run);
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
    // Most of it while writes go on: then there is little left to do when they do not.
    if (!options.discard && this.isJournaled) await this.#joinPromote();
    if (!this.open) throw this.#closed();
    this.#state = options.discard ? 'discarding' : 'closing';
    let published: Published | undefined;
    try {
      await this.#settled();
      if (!options.discard) published = await this.#joinPromote();
      // One that was under way before the last write has not seen it.
      while (!options.discard && this.lease.unpromoted) published = await this.#joinPromote();
      await this.#endChain(published);
      await this.lease.giveUp(options.discard ? 'shredded' : 'released');
    } catch (error) {
      this.#state = 'open';
      // Nothing may be written behind `shredded`, and it may be there: whoever opens it afresh finds out.
      if (options.discard && this.isJournaled) this.#writes.fail(error);
      throw error;
    }
    await this.#end();
    await this.removeFiles();
    return published;
  }

  /**
   * Takes no more writes, answers what it has, and writes the lease over to another node, which finds everything in the journal: nothing is
   * published for it. From the beginning on nobody reads here, for the other may write from the end on. What fails leaves only the store to say whose the
   * lease is, so the segment is to be dropped then, and opened afresh by whoever has it.
   */
  async handOver(to: { node: string; session: string }): Promise<{ lease: LeaseDocument; revision: number }> {
    if (this.#state !== 'open' || this.broken || !this.isJournaled) throw this.#closed();
    this.#state = 'leaving';
    await this.#writes.idle();
    return this.#writes.between(() => this.lease.handOver(to));
  }

  /** Removes what is here of a segment that another has opened: the journal has all of it. */
  async removeFiles(): Promise<void> {
    await this.#deps.disk.removeDatabase(this.#deps.paths.hotNote(this.id));
    await this.#deps.disk.removeDatabase(this.file);
  }

  /** Stops without giving the lease up: the file stays, the next start of this node opens it again. */
  async suspend(): Promise<void> {
    if (this.#state !== 'leaving') this.#state = 'closing';
    await this.#settled();
    await this.#end();
  }

  /** The last word in the journal: everything is in that state, or nothing is to be found any more. Refused when another has had a word since. */
  async #endChain(published: Published | undefined): Promise<void> {
    if (this.#place === undefined) return;
    const { chain } = this.#place;
    if (published === undefined) {
      await this.#writes.append(chain, { kind: 'shredded' }, CLOSE_DEADLINE_MS);
      return;
    }
    const { sha256, sizeBytes, version } = published;
    const state = { applied: chain.last, sha256, sizeBytes, version };
    await this.#writes.append(chain, { kind: 'closed', state }, CLOSE_DEADLINE_MS);
    this.#purge(chain.last);
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

  /** As this process left it, else it throws: a commit that its disk has lost is in the journal. */
  async #openAgain(): Promise<WriteSession> {
    const session = await this.#deps.engine.openWriter({
      ...{ segment: this.id, file: this.file, isJournaled: this.isJournaled },
    });
    if (this.#place === undefined) return session;
    try {
      if ((await session.applied()) === appliedMark(this.#committed)) return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    await session[Symbol.asyncDispose]();
    throw new TroughError('SEGMENT_DAMAGED', `the file of '${this.id}' is not as it was left`, { segment: this.id });
  }

  async #promote(): Promise<Published> {
    const published = this.lease.published;
    if (published !== undefined && !this.lease.unpromoted) return published;
    await this.#writes.between(() => this.lease.setUnderPromotion(true));
    const { commits } = this.#writes;
    const startedAt = this.#deps.clock.monotonic();
    this.#pressed = false;
    const bytes = this.#log.recordedBytes;
    try {
      const { published: result, applied } = await this.#publication.publish(this.#committed);
      // Between groups, so that no write can slip between the comparison and the document.
      await this.#writes.between(() =>
        this.lease.setPublished(result, { unpromoted: this.#writes.commits !== commits }),
      );
      this.#unpromotedAt = this.#writes.commits === commits ? undefined : startedAt;
      this.#promotedBytes = bytes;
      this.#purge(applied);
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

  /** Of what is in cold storage now, the old part at once, the rest when nobody can ask again for what it answered. */
  #purge(below: number): void {
    if (this.#place === undefined) return;
    const { journal, key } = this.#place.chain.deps;
    const { purges } = this.#deps;
    purges.add(journal, key, Math.min(below, this.#place.chain.oldSequence + 1), 0);
    purges.add(journal, key, below, ANSWERS_KEPT_MS);
  }
}

function logOf(lease: HeldLease, place: JournalPlace | undefined, clock: Clock): GroupLog {
  return place === undefined ? new LocalLog(lease) : new JournalLog(place.chain, place.applicationId, lease, clock);
}
