import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type PeerCalls } from '../../messages/node-calls.ts';
import { type WriteAnswer, type WriteCall } from '../../messages/writing.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { LeaseStore } from '../shared/lease-store.ts';

export interface WriteForwarderDeps {
  readonly view: ClusterView;
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly cold: ColdStore;
  readonly peers: PeerCalls;
  readonly self: { readonly node: string };
  /** Told of a segment whose holder is away although somebody writes to it. */
  readonly wanted: (segment: SegmentId) => void;
  /** Random digits, others at each call. */
  readonly seed: () => string;
}

/** What says that nothing of the write was kept: its segment may have gone to another node. */
const NOT_KEPT_THERE: ReadonlySet<string> = new Set(['SEGMENT_NOT_WRITABLE', 'NODE_UNAVAILABLE']);

/** Writes of segments that are not open here. */
export class WriteForwarder {
  readonly #deps: WriteForwarderDeps;
  readonly #leases: LeaseStore;

  constructor(deps: WriteForwarderDeps) {
    this.#deps = deps;
    this.#leases = new LeaseStore(deps);
  }

  /** By the node that holds the segment; once more by its next one when it has gone there meanwhile. Under one request id, so that it is applied once. */
  async forward(call: WriteCall): Promise<WriteAnswer> {
    const { segment } = call;
    if (call.onlyHere) throw this.#notHere(segment);
    const { peers, seed, self, view, wanted } = this.#deps;
    const sent = { ...call, requestId: call.requestId ?? seed(), onlyHere: true };
    const holder = await this.#holderOf(segment);
    if (view.node(holder)?.state !== 'alive') wanted(segment);
    try {
      return await peers.write(holder, sent);
    } catch (error) {
      if (!NOT_KEPT_THERE.has(TroughError.from(error).code)) throw error;
      const now = (await this.#leases.read(segment))?.document;
      if (now?.state !== 'held' || now.node === holder || now.node === self.node) throw error;
      return peers.write(now.node, sent);
    }
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
    const { view, self, cold } = this.#deps;
    const seen = view.lease(segment)?.document;
    const isElsewhere = seen?.state === 'held' && seen.node !== self.node;
    const lease = isElsewhere ? seen : (await this.#leases.read(segment))?.document;
    if (lease?.state === 'held' && lease.node !== self.node) return lease.node;
    const known = lease?.state === 'held' || lease?.state === 'released' || (await cold.stat(segment)) !== undefined;
    if (!known)
      throw new TroughError('SEGMENT_UNKNOWN', `there is no segment '${segment}'; provision it first`, { segment });
    throw this.#notHere(segment);
  }
}
