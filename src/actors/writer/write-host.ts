import { TroughError, unreachable } from '../../errors.ts';
import { type LeaseEntry } from '../../messages/cluster-view.ts';
import { type NodeCalls, type PeerCalls } from '../../messages/node-calls.ts';
import {
  type HandOverAnswer,
  type HandOverRequest,
  type HolderAnswer,
  type HolderRequest,
  type OpenAnswer,
  type OpenRequest,
  type PrepareAnswer,
  type PrepareRequest,
} from '../../messages/node-messages.ts';
import { type HotFile, type HotFiles } from '../../messages/local-files.ts';
import { type WriteAnswer, type WriteCall } from '../../messages/writing.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Reply, replyWith } from '../../runtime/ask.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { SegmentRates } from '../shared/segment-rates.ts';
import { Departure } from './departure.ts';
import { DiskReserve } from './disk-reserve.ts';
import { type HotSegment } from './hot-segment.ts';
import { PurgeList } from './purge-list.ts';
import { SegmentStarter, type SegmentStarterDeps, type Started } from './segment-starter.ts';
import { UnderWay } from './under-way.ts';
import { UnopenedGrants } from './unopened-grants.ts';
import { UnopenedSegments } from './unopened-segments.ts';
import { Upkeep, type UpkeepDeps } from './upkeep.ts';
import { WriteForwarder, type WriteForwarderDeps } from './write-forwarder.ts';

export type WriteHostMessage =
  | { readonly kind: 'write'; readonly call: WriteCall; readonly reply: Reply<WriteAnswer> }
  | { readonly kind: 'open'; readonly request: OpenRequest; readonly reply: Reply<OpenAnswer> }
  | { readonly kind: 'prepare'; readonly request: PrepareRequest; readonly reply: Reply<PrepareAnswer> }
  | { readonly kind: 'promote'; readonly request: HolderRequest; readonly reply: Reply<HolderAnswer> }
  | { readonly kind: 'close'; readonly request: HolderRequest; readonly reply: Reply<HolderAnswer> }
  | { readonly kind: 'handOver'; readonly request: HandOverRequest; readonly reply: Reply<HandOverAnswer> }
  /** Gives other writers what they can go on with, for this node is about to stop. Answers when that is done, or cannot be. */
  | { readonly kind: 'leave'; readonly reply: Reply<void> }
  | { readonly kind: 'lease'; readonly lease: LeaseEntry }
  /** Opens again what this node held when it stopped. */
  | { readonly kind: 'reclaim' }
  /** Promotes what waited long enough, gives up what nobody writes any more. */
  | { readonly kind: 'tick' };

export interface WriteHostDeps
  extends Omit<SegmentStarterDeps, 'purges' | 'failed' | 'reserve'>, UpkeepDeps, Pick<WriteForwarderDeps, 'wanted'> {
  readonly peers: PeerCalls;
  readonly nodes: Pick<NodeCalls, 'open' | 'prepare'>;
  readonly writeDeadlineMs: number;
  readonly stopPatienceMs: number;
}

/** Holds the segments that are open for writing on this node; opens, promotes and closes them when the leader says so. */
export class WriteHost implements Actor<WriteHostMessage>, HotFiles {
  readonly name = 'write-host';
  /** The order in which others open what this node leaves: of a minute, as one busy moment says little. */
  readonly rates: SegmentRates;
  readonly #deps: WriteHostDeps;
  readonly #starter: SegmentStarter;
  readonly #purges: PurgeList;
  readonly #forwarder: WriteForwarder;
  readonly #departure: Departure;
  readonly #underWay: UnderWay;
  readonly #open = new Map<SegmentId, HotSegment>();
  readonly #tasks = new KeyedTasks({ parallel: 16, waiting: 20_000 });
  readonly #upkeep: Upkeep;
  readonly #reopening = new Set<SegmentId>();
  /** Leases of this node whose segments are not open yet. */
  readonly #unopened: UnopenedSegments;
  readonly #grants: UnopenedGrants;

  constructor(deps: WriteHostDeps) {
    this.#deps = deps;
    this.#purges = new PurgeList(deps);
    const failed = (hot: HotSegment): void => {
      this.#openAfresh(hot);
    };
    this.#starter = new SegmentStarter({ ...deps, purges: this.#purges, reserve: new DiskReserve(deps), failed });
    this.#grants = new UnopenedGrants(deps);
    this.#unopened = new UnopenedSegments(deps.clock);
    this.rates = new SegmentRates(deps.clock, { mostTold: 32, kept: 0.7 });
    this.#upkeep = new Upkeep(deps);
    this.#forwarder = new WriteForwarder(deps);
    this.#departure = new Departure(deps);
    this.#underWay = new UnderWay(deps.clock);
  }

  receive(message: WriteHostMessage): void {
    switch (message.kind) {
      case 'write':
        void replyWith(message.reply, this.#write(message.call));
        return;
      case 'open':
        void replyWith(
          message.reply,
          this.#onTheWay(message.request.lease.segment, (id) => this.#openGranted(id, message.request)),
        );
        return;
      case 'prepare':
        void replyWith(
          message.reply,
          this.#inTurn(message.request.lease.segment, (id) => this.#prepare(id, message.request)),
        );
        return;
      case 'handOver':
        void replyWith(message.reply, this.#handOver(message.request));
        return;
      case 'leave':
        void replyWith(message.reply, this.#leave());
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
    await this.#purges.idle();
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The hot file of a segment that is open here: for readers on this node. */
  hotFile(segment: SegmentId): HotFile | undefined {
    const hot = this.#open.get(segment);
    if (hot?.isReadable !== true) return undefined;
    return { file: hot.file, epoch: hot.lease.epoch, assertCurrent: () => hot.assertCurrent() };
  }

  /** While a segment is being opened here or given away; undefined: it is not. */
  underWay(segment: SegmentId): Promise<void> | undefined {
    return this.#underWay.over(segment, this.#deps.writeDeadlineMs);
  }

  get isLeaving(): boolean {
    return this.#departure.hasBegun;
  }

  async #onTheWay<T>(segment: string, task: (id: SegmentId) => Promise<T>): Promise<T> {
    const id = parseSegmentId(segment);
    return this.#underWay.track(
      id,
      this.#tasks.run(id, () => task(id)),
    );
  }

  async #inTurn<T>(segment: string, task: (id: SegmentId) => Promise<T>): Promise<T> {
    const id = parseSegmentId(segment);
    return this.#tasks.run(id, () => task(id));
  }

  async #write(call: WriteCall): Promise<WriteAnswer> {
    const { writeDeadlineMs, self } = this.#deps;
    const deadlineMs = Math.min(call.deadlineMs ?? writeDeadlineMs, writeDeadlineMs);
    if (!this.#takesWrites(call.segment)) await this.#underWay.over(call.segment, deadlineMs);
    const hot = this.#open.get(call.segment);
    if (hot?.open !== true) return this.#forwarder.forward(call);
    this.rates.add(call.segment);
    return { node: self.node, ...(await hot.write(call.request, deadlineMs, call.requestId)) };
  }

  #takesWrites(id: SegmentId): boolean {
    const hot = this.#open.get(id);
    return hot?.open === true && !hot.broken;
  }

  #handOver(request: HandOverRequest): Promise<HandOverAnswer> {
    return this.#onTheWay(request.segment, async (id) => {
      const hot = this.#mustHold(request);
      try {
        const opened = await this.#departure.give(hot, request.to);
        this.#open.delete(id);
        this.#soon(id, () => this.#clear(hot), 'the file of a segment that another node has now stays here');
        return opened;
      } catch (error) {
        // Whose it is only the store knows: it is opened afresh if it is this node's.
        await this.#drop(hot);
        this.#reopenSoon(id);
        throw error;
      }
    });
  }

  /** Behind whatever is under way for it, and behind the answer, which others wait for. */
  #soon(segment: SegmentId, work: () => Promise<void>, failed: string): void {
    void this.#tasks.run(segment, work).catch((error: unknown) => {
      this.#deps.log.warn({ segment, err: TroughError.from(error) }, failed);
    });
  }

  async #clear(hot: HotSegment): Promise<void> {
    await hot.suspend();
    await hot.removeFiles();
  }

  /** Those first that are written to. */
  async #leave(): Promise<void> {
    const hot = [...this.#open.values()].filter(({ isJournaled }) => isJournaled);
    hot.sort((one, other) => one.idleMs - other.idleMs);
    await this.#departure.leave(hot, (request) => this.#handOver(request));
  }

  async #openGranted(id: SegmentId, request: OpenRequest): Promise<OpenAnswer> {
    const already = this.#open.get(id);
    if (already !== undefined && already.lease.epoch >= request.lease.epoch && !already.broken)
      return { sizeBytes: already.sizeBytes, created: false };
    this.#departure.refuseIfBegun(id);
    if (already !== undefined) await this.#drop(already);
    let started: Started | undefined;
    try {
      started = await this.#starter.granted(id, request);
    } catch (error) {
      // A lease that was taken over stays here, whatever its asker hears.
      if (request.lease.stream !== null) this.#unopened.add(id);
      throw error;
    }
    this.#take(started);
    return { sizeBytes: started?.hot.sizeBytes ?? 0, created: started?.created ?? false };
  }

  async #prepare(id: SegmentId, { lease }: PrepareRequest): Promise<PrepareAnswer> {
    this.#departure.refuseIfBegun(id);
    return { prepared: !this.#open.has(id) && (await this.#starter.headStarts.make(id, lease)) };
  }

  #take(started: Started | undefined): void {
    if (started === undefined) return;
    const { hot } = started;
    this.#open.set(hot.id, hot);
    this.#starter.headStarts.forget(hot.id);
    this.#unopened.opened(hot.id);
    // What the watch brought while this was under way found nothing open here.
    const seen = this.#deps.view.lease(hot.id);
    if (seen !== undefined) this.#seen(seen);
  }

  async #promote(request: HolderRequest): Promise<HolderAnswer> {
    return { published: await this.#mustHold(request).promote() };
  }

  async #close(id: SegmentId, request: HolderRequest): Promise<HolderAnswer> {
    const published = await this.#mustHold(request).close({ discard: request.discard });
    this.#open.delete(id);
    return published === undefined ? {} : { published };
  }

  #mustHold(request: { readonly segment: string; readonly epoch: number }): HotSegment {
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
    this.#soon(hot.id, () => this.#drop(hot), 'a segment did not close cleanly');
  }

  async #drop(hot: HotSegment): Promise<void> {
    if (this.#open.get(hot.id) === hot) this.#open.delete(hot.id);
    await hot.suspend();
  }

  #tidy(): void {
    this.#purges.tick();
    for (const id of this.#starter.headStarts.takeOverdue())
      this.#soon(id, () => this.#removeHeadStart(id), 'a file that was prepared in vain stays here');
    for (const id of this.#grants.takeOverdue((granted) => this.#open.has(granted))) this.#unopened.add(id);
    for (const id of this.#unopened.due()) this.#reopenSoon(id);
    for (const hot of this.#open.values()) {
      if (hot.broken && !this.#unopened.has(hot.id)) this.#openAfresh(hot);
      this.#upkeep.look(hot);
    }
  }

  /** Of a segment that did not come. */
  async #removeHeadStart(id: SegmentId): Promise<void> {
    if (!this.#open.has(id) && !this.#unopened.has(id)) await this.#starter.headStarts.remove(id);
  }

  #reclaim(): void {
    for (const { document } of this.#deps.view.leases()) {
      const { segment, state, node } = document;
      if (state === 'held' && node === this.#deps.self.node && isSegmentId(segment)) this.#reopenSoon(segment);
    }
  }

  /** What cannot be opened now is tried again: the disk may have room then, or cold storage be back. */
  #reopenSoon(id: SegmentId): void {
    this.#unopened.add(id);
    if (this.#reopening.has(id)) return;
    this.#reopening.add(id);
    void this.#onTheWay(id, () => this.#reopen(id))
      .then(() => {
        this.#unopened.opened(id);
      })
      .catch((error: unknown) => {
        this.#unopened.failed(id);
        this.#deps.log.error(
          { segment: id, err: TroughError.from(error) },
          'a segment that this node holds could not be opened and is tried again',
        );
      })
      .finally(() => this.#reopening.delete(id));
  }

  async #reopen(id: SegmentId): Promise<void> {
    const already = this.#open.get(id);
    if (already?.broken === false) return;
    if (already !== undefined) await this.#drop(already);
    this.#take(await this.#starter.again(id));
  }

  /** At once: whoever waits for it is waiting. What does not work now is tried again. */
  #openAfresh(hot: HotSegment): void {
    if (hot.open && this.#open.get(hot.id) === hot) this.#reopenSoon(hot.id);
  }
}
