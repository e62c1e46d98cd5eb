import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine } from '../../engine/engine.ts';
import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, type LeaseEntry } from '../../messages/cluster-view.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type PeerCalls } from '../../messages/node-calls.ts';
import {
  type HolderAnswer,
  type HolderRequest,
  type OpenAnswer,
  type OpenRequest,
} from '../../messages/node-messages.ts';
import { type HotFile, type HotFiles } from '../../messages/local-files.ts';
import { type WriteAnswer, type WriteCall } from '../../messages/writing.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type DataPaths } from '../../model/paths.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { type Clock } from '../../runtime/clock.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { HeldLease } from './held-lease.ts';
import { HotSegment } from './hot-segment.ts';
import { type Prepared, SegmentOpener } from './segment-opener.ts';
import { UnopenedGrants } from './unopened-grants.ts';

export type WriteHostMessage =
  | { readonly kind: 'write'; readonly call: WriteCall; readonly reply: Reply<WriteAnswer> }
  | { readonly kind: 'open'; readonly request: OpenRequest; readonly reply: Reply<OpenAnswer> }
  | { readonly kind: 'promote'; readonly request: HolderRequest; readonly reply: Reply<HolderAnswer> }
  | { readonly kind: 'close'; readonly request: HolderRequest; readonly reply: Reply<HolderAnswer> }
  | { readonly kind: 'lease'; readonly lease: LeaseEntry }
  /** Opens again what this node held when it stopped. */
  | { readonly kind: 'reclaim' }
  /** Promotes what waited long enough, gives up what nobody writes any more. */
  | { readonly kind: 'tick' };

export interface WriteHostDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly store: MetadataStore;
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly peers: PeerCalls;
  readonly self: { readonly node: string; readonly session: string };
  readonly confirmed: () => boolean;
  readonly isConnected: () => boolean;
  readonly writeDeadlineMs: number;
  readonly queueLimit: number;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  readonly promoteAfterMs: number;
  readonly releaseAfterMs: number;
  /** Asks the leader, who tells the others. */
  readonly leader: {
    readonly promote: (segment: SegmentId) => Promise<unknown>;
    readonly release: (segment: SegmentId) => Promise<unknown>;
  };
}

const STORE_DEADLINE_MS = 10_000;

/** Holds the segments that are open for writing on this node; opens, promotes and closes them when the leader says so. */
export class WriteHost implements Actor<WriteHostMessage>, HotFiles {
  readonly name = 'write-host';
  readonly #deps: WriteHostDeps;
  readonly #opener: SegmentOpener;
  readonly #leases: LeaseStore;
  readonly #open = new Map<SegmentId, HotSegment>();
  readonly #tasks = new KeyedTasks({ parallel: 16, waiting: 20_000 });
  readonly #tidyTasks = new KeyedTasks({ parallel: 4, waiting: Infinity });
  readonly #tidying = new Set<SegmentId>();
  /** Leases of this node whose segments are not open yet. */
  readonly #unopened = new Set<SegmentId>();
  readonly #grants: UnopenedGrants;

  constructor(deps: WriteHostDeps) {
    this.#deps = deps;
    this.#opener = new SegmentOpener(deps);
    this.#grants = new UnopenedGrants(deps);
    this.#leases = new LeaseStore(deps, STORE_DEADLINE_MS);
  }

  receive(message: WriteHostMessage): void {
    switch (message.kind) {
      case 'write':
        void replyWith(message.reply, this.#write(message.call));
        return;
      case 'open':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.lease.segment, (id) => this.#openGranted(id, message.request)),
        );
        return;
      case 'promote':
        void replyWith(message.reply, this.#promote(message.request));
        return;
      case 'close':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.segment, (id) => this.#close(id, message.request)),
        );
        return;
      case 'lease':
        this.#grants.seen(message.lease.document);
        this.#seen(message.lease);
        return;
      case 'reclaim':
        this.#reclaim();
        return;
      case 'tick':
        this.#tidy();
        return;
      default:
        unreachable(message);
    }
  }

  async stop(): Promise<void> {
    await this.#tasks.idle();
    await Promise.all(Array.from(this.#open.values(), (hot) => hot.suspend()));
    this.#open.clear();
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The hot file of a segment that is open here: for readers on this node. */
  hotFile(segment: SegmentId): HotFile | undefined {
    const hot = this.#open.get(segment);
    if (hot === undefined) return undefined;
    return { file: hot.file, epoch: hot.lease.epoch, assertHeld: () => hot.lease.assertHeld() };
  }

  async #inTurn<T>(segment: string, task: (id: SegmentId) => Promise<T>): Promise<T> {
    const id = parseSegmentId(segment);
    return this.#tasks.run(id, () => task(id));
  }

  async #write(call: WriteCall): Promise<WriteAnswer> {
    const { segment, request } = call;
    const hot = this.#open.get(segment);
    if (hot?.open === true) {
      const deadlineMs = Math.min(call.deadlineMs ?? this.#deps.writeDeadlineMs, this.#deps.writeDeadlineMs);
      return { node: this.#deps.self.node, ...(await hot.write(request, deadlineMs)) };
    }
    if (call.onlyHere) throw this.#notHere(segment);
    const holder = await this.#holderOf(segment);
    return this.#deps.peers.write(holder, { ...call, onlyHere: true });
  }

  #notHere(segment: SegmentId): TroughError {
    const lease = this.#deps.view.lease(segment)?.document;
    if (lease?.state !== 'held' || lease.node !== this.#deps.self.node) {
      const message = `this node holds no write lease for '${segment}'; provision it first`;
      return new TroughError('SEGMENT_NOT_WRITABLE', message, { segment });
    }
    return new TroughError('NODE_UNAVAILABLE', `'${segment}' is being opened on this node; try again shortly`, {
      segment,
    });
  }

  /** The other node that a write goes to. The store is asked when the view knows of none: the lease may be a moment old. */
  async #holderOf(segment: SegmentId): Promise<string> {
    const seen = this.#deps.view.lease(segment)?.document;
    const lease = seen?.state === 'held' ? seen : (await this.#leases.read(segment))?.document;
    if (lease?.state === 'held' && lease.node !== this.#deps.self.node) return lease.node;
    const known =
      lease?.state === 'held' || lease?.state === 'released' || (await this.#deps.cold.stat(segment)) !== undefined;
    if (!known)
      throw new TroughError('SEGMENT_UNKNOWN', `there is no segment '${segment}'; provision it first`, { segment });
    throw this.#notHere(segment);
  }

  async #openGranted(id: SegmentId, { lease, revision, schemaSql, hasBase }: OpenRequest): Promise<OpenAnswer> {
    const already = this.#open.get(id);
    if (already !== undefined && already.lease.epoch >= lease.epoch)
      return { sizeBytes: already.sizeBytes, created: false };
    if (already !== undefined) await this.#drop(already);
    if (lease.state !== 'held' || lease.node !== this.#deps.self.node) {
      throw new TroughError('SEGMENT_NOT_WRITABLE', `the lease of '${id}' was not granted to this node`, {
        segment: id,
      });
    }
    // A lease with unpublished writes was open here before, whatever the asker thinks: its file is the newest state there is.
    if (lease.session !== this.#deps.self.session || lease.unpromoted) {
      const reopened = await this.#reopen(id);
      return { sizeBytes: reopened?.sizeBytes ?? 0, created: false };
    }
    const prepared = await this.#opener.prepareGranted(id, lease, hasBase);
    const hot = await this.#start(id, lease, revision, prepared, schemaSql);
    return { sizeBytes: hot.sizeBytes, created: prepared.created };
  }

  async #start(
    id: SegmentId,
    document: LeaseDocument,
    revision: number,
    prepared: Prepared,
    schemaSql: string,
  ): Promise<HotSegment> {
    const { engine, paths } = this.#deps;
    const session = await engine.openWriter({ segment: id, file: paths.hot(id), schemaSql });
    const lease = new HeldLease(this.#deps, document, revision, prepared.base);
    const hot = new HotSegment(id, lease, session, this.#deps);
    try {
      // The lease must name the base, so that copies of it may answer should this node be lost before the first write.
      if (prepared.base !== undefined && prepared.base.version !== document.version) {
        await lease.setPublished(prepared.base, { unpromoted: document.unpromoted });
      }
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    this.#open.set(id, hot);
    // What the watch brought while this was under way found nothing open here.
    const seen = this.#deps.view.lease(id);
    if (seen !== undefined) this.#seen(seen);
    return hot;
  }

  async #promote(request: HolderRequest): Promise<HolderAnswer> {
    return { published: await this.#mustHold(request).promote() };
  }

  async #close(id: SegmentId, request: HolderRequest): Promise<HolderAnswer> {
    const published = await this.#mustHold(request).close({ discard: request.discard });
    this.#open.delete(id);
    return published === undefined ? {} : { published };
  }

  #mustHold(request: HolderRequest): HotSegment {
    const hot = this.#open.get(parseSegmentId(request.segment));
    if (hot !== undefined && hot.lease.epoch === request.epoch) return hot;
    throw new TroughError('SEGMENT_NOT_WRITABLE', `this node does not hold that lease of '${request.segment}'`, {
      segment: request.segment,
    });
  }

  /** Another holds the lease now, so nothing may be acknowledged here any more. */
  #seen({ document, revision }: LeaseEntry): void {
    const hot = this.#open.get(document.segment as SegmentId);
    if (hot === undefined || !hot.open || hot.lease.seen(document, revision)) return;
    this.#deps.log.warn({ segment: hot.id, epoch: hot.lease.epoch }, 'the write lease went to another node');
    this.#dropSoon(hot);
  }

  #dropSoon(hot: HotSegment): void {
    void this.#tasks
      .run(hot.id, () => this.#drop(hot))
      .catch((error: unknown) => {
        this.#deps.log.warn({ segment: hot.id, err: TroughError.from(error) }, 'a segment did not close cleanly');
      });
  }

  async #drop(hot: HotSegment): Promise<void> {
    if (this.#open.get(hot.id) === hot) this.#open.delete(hot.id);
    await hot.suspend();
  }

  #tidy(): void {
    const { promoteAfterMs, releaseAfterMs, leader } = this.#deps;
    for (const id of this.#grants.takeOverdue((granted) => this.#open.has(granted))) this.#unopened.add(id);
    for (const id of this.#unopened) this.#reopenSoon(id);
    for (const hot of this.#open.values()) {
      if (hot.broken && hot.open) {
        this.#unopened.add(hot.id);
        this.#dropSoon(hot);
      }
      if (!hot.open || this.#tidying.has(hot.id)) continue;
      if (hot.idleMs >= releaseAfterMs) this.#tidyOne(hot.id, 'release', leader.release);
      else if (hot.unpromotedMs >= promoteAfterMs) this.#tidyOne(hot.id, 'promote', leader.promote);
    }
  }

  #tidyOne(id: SegmentId, what: string, ask: (segment: SegmentId) => Promise<unknown>): void {
    this.#tidying.add(id);
    void this.#tidyTasks
      .run(id, () => ask(id))
      .catch((error: unknown) => {
        this.#deps.log.warn(
          { segment: id, what, err: TroughError.from(error) },
          'a segment could not be tidied up and is tried again',
        );
      })
      .finally(() => this.#tidying.delete(id));
  }

  #reclaim(): void {
    for (const { document } of this.#deps.view.leases()) {
      const { segment, state, node } = document;
      if (state === 'held' && node === this.#deps.self.node && isSegmentId(segment)) this.#reopenSoon(segment);
    }
  }

  /** What cannot be opened now is tried again at every tick: the disk may have room again, or cold storage be back. */
  #reopenSoon(id: SegmentId): void {
    this.#unopened.add(id);
    if (this.#tidying.has(id)) return;
    this.#tidying.add(id);
    void this.#tasks
      .run(id, () => this.#reopen(id))
      .then(() => this.#unopened.delete(id))
      .catch((error: unknown) => {
        this.#deps.log.error(
          { segment: id, err: TroughError.from(error) },
          'a segment that this node holds could not be opened and is tried again',
        );
      })
      .finally(() => this.#tidying.delete(id));
  }

  /** A new session takes its own lease over, with a new epoch, so that nothing of the old session can still be acknowledged. */
  async #reopen(id: SegmentId): Promise<HotSegment | undefined> {
    const already = this.#open.get(id);
    if (already !== undefined) return already;
    const read = await this.#leases.read(id);
    const { node, session } = this.#deps.self;
    if (read?.document.state !== 'held' || read.document.node !== node) return undefined;
    const prepared = await this.#opener.prepareKept(id, read.document);
    const document: LeaseDocument = {
      ...read.document,
      session,
      epoch: read.document.epoch + 1,
      under_promotion: false,
    };
    const revision = await this.#leases.write(document, read.revision);
    return this.#start(id, document, revision, prepared, this.#deps.view.schema(document.schema)?.sql ?? '');
  }
}
