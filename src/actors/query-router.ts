import { type ColdStore } from '../cold/cold-store.ts';
import { type Engine, type EngineQuery } from '../engine/engine.ts';
import { type ErrorCode, TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type ClusterView, isLost, metadataLost, type NodeEntry } from '../messages/cluster-view.ts';
import { type SlotPlaces } from '../messages/copy-places.ts';
import { type LeaseDocument } from '../messages/documents.ts';
import { type CopyFiles, type HotFile, type HotFiles, type LocalCopy } from '../messages/local-files.ts';
import { type PeerCalls } from '../messages/node-calls.ts';
import { type Read, type ReadAnswer, type ReadRequest } from '../messages/reading.ts';
import { type MetadataStore } from '../metadata/metadata-store.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { segmentUnknown } from '../model/segment-unknown.ts';
import { type Emit } from '../runtime/actor.ts';
import { type Clock } from '../runtime/clock.ts';
import { LeaseStore } from './shared/lease-store.ts';

/** Files fetched on demand for segments that have no copy here. */
export interface FetchedFiles {
  ensure(segment: SegmentId, minVersion: number, signal: AbortSignal): Promise<LocalCopy>;
  drop(segment: SegmentId): Promise<void>;
}

export interface QueryRouterDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly store: MetadataStore;
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly hot: HotFiles;
  readonly copies: CopyFiles;
  readonly fetched: FetchedFiles;
  readonly peers: PeerCalls;
  /** Where copies of the segment are to be, and where they are served. */
  readonly places: (segment: SegmentId) => SlotPlaces;
  readonly random: () => number;
  readonly emit: Emit<{ readonly kind: 'damaged'; readonly segment: SegmentId }>;
  /** Told of a segment whose holder does not answer although only that could. */
  readonly wanted: (segment: SegmentId) => void;
  /** False when the view of the leases may be more than a moment behind the store. */
  readonly isFresh: () => boolean;
  readonly isConnected: () => boolean;
  readonly node: string;
  readonly deadlineMs: number;
  readonly deadlineLimitMs: number;
}

const STORE_DEADLINE_MS = 5_000;
/** Nodes whose loads for each core differ by less than a half count as alike: what they say is an average of a minute. */
const LOAD_BANDS = 2;
/** What says that the other side could not even try: another copy may. */
const NOT_THERE: ReadonlySet<ErrorCode> = new Set([
  'NODE_UNAVAILABLE',
  'ENGINE_POOL_FULL',
  'SEGMENT_QUEUE_FULL',
  'ENGINE_STOPPED',
  'SEGMENT_DAMAGED',
  'STOPPING',
]);

/**
 * Finds who answers a read: the lease holder of a writable segment, else a copy of a version that is new enough: here, on another node,
 * or fetched from cold storage. A read is handed on once, and once more to another copy when that node is not there.
 * It keeps nothing from one read to the next, so reads do not wait for each other in a mailbox.
 */
export class QueryRouter {
  readonly #deps: QueryRouterDeps;
  readonly #leases: LeaseStore;

  constructor(deps: QueryRouterDeps) {
    this.#deps = deps;
    this.#leases = new LeaseStore(deps, STORE_DEADLINE_MS);
  }

  /** Its segment's rows, from wherever they are. Rejects with a TroughError; `signal` ends the query. */
  readonly read: Read = (request, signal) => {
    const hot = this.#deps.hot.hotFile(request.segment);
    if (hot !== undefined) return this.#readHot(request, hot, signal);
    const underWay = this.#deps.hot.underWay(request.segment);
    return underWay === undefined ? this.#readPublished(request, signal) : this.#readAfter(underWay, request, signal);
  };

  /** In a moment it is open here, or on another node. */
  async #readAfter(underWay: Promise<void>, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    await underWay;
    if (signal.aborted)
      throw new TroughError('ENGINE_CANCELLED', 'the query was given up while its segment was opened');
    const hot = this.#deps.hot.hotFile(request.segment);
    return hot === undefined ? this.#readPublished(request, signal) : this.#readHot(request, hot, signal);
  }

  async #readHot(request: ReadRequest, hot: HotFile, signal: AbortSignal): Promise<ReadAnswer> {
    if (request.consistency === 'strong') await hot.assertCurrent();
    return this.#run(request, { file: hot.file, version: `live-${String(hot.epoch)}`, live: true }, signal);
  }

  async #readPublished(request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    // Nobody knows which segments have writes that were not promoted.
    if (request.consistency === 'strong' && isLost(this.#deps.view)) throw metadataLost();
    const seen = this.#deps.view.lease(request.segment)?.document;
    // A view that may be behind could name a holder that is one no longer, or a version that is not the last.
    const lease = request.consistency === 'any' || this.#deps.isFresh() ? seen : await this.#readLease(request, signal);
    try {
      return await this.#readBy(lease, request, signal);
    } catch (error) {
      if (TroughError.from(error).code !== 'SEGMENT_UNKNOWN' || seen !== lease) throw error;
      return this.#unlessJustMade(request, lease, signal, error);
    }
  }

  async #readBy(lease: LeaseDocument | undefined, request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer> {
    if (lease?.state === 'shredded') throw segmentUnknown(request.segment);
    if (lease?.state === 'held') return this.#readWritable(request, lease, signal);
    return this.#readCopy(request, lease?.version ?? 0, signal);
  }

  /** Before a segment is called unknown the store itself is asked: it may have been provisioned a moment ago. */
  async #unlessJustMade(
    request: ReadRequest,
    seen: LeaseDocument | undefined,
    signal: AbortSignal,
    why: unknown,
  ): Promise<ReadAnswer> {
    const lease = await this.#readLease(request, signal);
    if (lease === undefined || (lease.epoch === seen?.epoch && lease.state === seen.state)) throw why;
    return this.#readBy(lease, request, signal);
  }

  async #readLease({ segment }: ReadRequest, signal: AbortSignal): Promise<LeaseDocument | undefined> {
    if (!this.#deps.isConnected()) {
      const message = "this node is cut off from NATS: only reads with consistency 'any' are answered";
      throw new TroughError('METADATA_UNREACHABLE', message, { segment });
    }
    return (await this.#leases.read(segment, signal))?.document;
  }

  async #readWritable(request: ReadRequest, lease: LeaseDocument, signal: AbortSignal): Promise<ReadAnswer> {
    if (request.consistency === 'any' && lease.version !== null) {
      const answer = await this.#fromCopy(request, 0, signal);
      if (answer !== undefined) return answer;
    }
    try {
      return await this.#askHolder(request, lease, signal);
    } catch (error) {
      if (TroughError.from(error).code !== 'NODE_UNAVAILABLE') throw error;
      return this.#withoutHolder(request, lease, signal, TroughError.from(error));
    }
  }

  #askHolder(request: ReadRequest, lease: LeaseDocument, signal: AbortSignal): Promise<ReadAnswer> {
    const holder = this.#deps.view.node(lease.node);
    const reachable = holder?.state === 'alive' || (holder?.state === 'suspect' && lease.unpromoted);
    if (!reachable || lease.node === this.#deps.node || request.hops > 1) {
      throw new TroughError(
        'NODE_UNAVAILABLE',
        `the node '${lease.node}' that holds '${request.segment}' does not answer now`,
        {
          segment: request.segment,
          node: lease.node,
        },
      );
    }
    return this.#deps.peers.read(lease.node, { ...request, hops: request.hops + 1 }, signal);
  }

  /** The holder does not answer. Its published version is all there is when the lease, read now from the store, says that nothing was written since. */
  async #withoutHolder(
    request: ReadRequest,
    asked: LeaseDocument,
    signal: AbortSignal,
    why: TroughError,
  ): Promise<ReadAnswer> {
    const lease = await this.#readLease(request, signal);
    if (lease?.state === 'shredded') throw segmentUnknown(request.segment);
    // It has moved since: the new holder has it all.
    if (lease?.state === 'held' && lease.node !== asked.node) return this.#askHolder(request, lease, signal);
    if (lease?.unpromoted === true && request.consistency === 'strong') {
      this.#deps.wanted(request.segment);
      throw new TroughError(
        'SEGMENT_HOLDER_DOWN',
        `${why.message}, and it has writes that were not promoted; ask with consistency 'any' for the published state`,
        { segment: request.segment },
        why,
      );
    }
    if (lease === undefined || lease.version === null) throw why;
    return this.#readCopy(request, lease.version, signal);
  }

  async #readCopy(request: ReadRequest, version: number, signal: AbortSignal): Promise<ReadAnswer> {
    const minVersion = request.consistency === 'strong' ? version : 0;
    const local = await this.#fromCopy(request, minVersion, signal);
    if (local !== undefined) return local;
    if (request.hops === 0) {
      const answer = await this.#elsewhere(request, signal);
      if (answer !== undefined) return answer;
    }
    return this.#readThrough(request, minVersion, signal);
  }

  /** The answer of the copy here; undefined when there is none of that version, or when it turned out to be broken. */
  async #fromCopy(request: ReadRequest, minVersion: number, signal: AbortSignal): Promise<ReadAnswer | undefined> {
    const copy = this.#deps.copies.copy(request.segment);
    if (copy === undefined || copy.version < minVersion) return undefined;
    try {
      return await this.#runCopy(request, copy, signal);
    } catch (error) {
      if (!this.#isBroken(request.segment, error)) throw error;
      return undefined;
    }
  }

  /** The answer of another node that has a copy; undefined when there is none to ask. */
  async #elsewhere(request: ReadRequest, signal: AbortSignal): Promise<ReadAnswer | undefined> {
    for (const node of this.#candidates(request.segment).slice(0, 2)) {
      try {
        return await this.#deps.peers.read(node, { ...request, hops: 1 }, signal);
      } catch (error) {
        if (signal.aborted || !NOT_THERE.has(TroughError.from(error).code)) throw error;
        this.#deps.log.debug(
          { segment: request.segment, node, err: TroughError.from(error) },
          'a copy could not answer, another is asked',
        );
      }
    }
    return undefined;
  }

  /** Those that serve, then those that are to have it; the less loaded first, and of those that are about as loaded another one each time. */
  #candidates(segment: SegmentId): string[] {
    const { serving, target } = this.#deps.places(segment);
    return [...this.#spread(serving), ...this.#spread(target.filter((node) => !serving.includes(node)))];
  }

  #spread(nodes: readonly string[]): string[] {
    const { view, random, node: self } = this.#deps;
    return nodes
      .map((name) => view.node(name))
      .filter((entry): entry is NodeEntry => entry?.state === 'alive' && entry.document.roles.includes('reader'))
      .filter(({ document }) => document.node !== self)
      .map(({ document, beat }) => ({
        node: document.node,
        at: Math.round((beat?.load ?? 0) * LOAD_BANDS) + random() / 2,
      }))
      .sort((a, b) => a.at - b.at)
      .map(({ node }) => node);
  }

  async #readThrough(request: ReadRequest, minVersion: number, signal: AbortSignal): Promise<ReadAnswer> {
    try {
      return await this.#runFetched(request, minVersion, signal);
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code === 'COLD_MISSING') throw segmentUnknown(request.segment, error);
      if (code !== 'SEGMENT_DAMAGED' && code !== 'SEGMENT_UNKNOWN') throw error;
      await this.#deps.fetched.drop(request.segment);
      // It made room for another before it was opened; once more, as it is the newest now.
      if (code === 'SEGMENT_UNKNOWN') return this.#runFetched(request, minVersion, signal);
      throw error;
    }
  }

  async #runFetched(request: ReadRequest, minVersion: number, signal: AbortSignal): Promise<ReadAnswer> {
    const file = await this.#deps.fetched.ensure(request.segment, minVersion, signal);
    return this.#runCopy(request, file, signal);
  }

  #runCopy(request: ReadRequest, copy: LocalCopy, signal: AbortSignal): Promise<ReadAnswer> {
    return this.#run(request, { file: copy.file, version: String(copy.version), live: false }, signal);
  }

  async #run(
    request: ReadRequest,
    at: Pick<EngineQuery, 'file' | 'version' | 'live'>,
    signal: AbortSignal,
  ): Promise<ReadAnswer> {
    const { segment, sql, params, format, bigints, maxRows } = request;
    const deadlineMs = Math.min(request.deadlineMs ?? this.#deps.deadlineMs, this.#deps.deadlineLimitMs);
    const answer = await this.#deps.engine.query(
      { segment, sql, params, format, bigints, maxRows, deadlineMs, ...at },
      signal,
    );
    const { columns, body, failure, summary, release } = answer;
    return { node: this.#deps.node, version: at.version, columns, body, failure, summary, release };
  }

  /** A copy that is damaged, or whose file is gone, is reported and replaced; the read goes on elsewhere. */
  #isBroken(segment: SegmentId, error: unknown): boolean {
    const { code } = TroughError.from(error);
    if (code !== 'SEGMENT_DAMAGED' && code !== 'SEGMENT_UNKNOWN') return false;
    this.#deps.emit({ kind: 'damaged', segment });
    return true;
  }
}
