import { TroughError } from '../../errors.ts';
import { type ClusterView, type LeaseEntry, type NodeEntry } from '../../messages/cluster-view.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { emptiestWriter, takesLeases } from '../shared/emptiest-writer.ts';
import { isJournaled } from './lease-mover.ts';

export interface LeaseHandOverDeps {
  readonly view: ClusterView;
  readonly nodes: Pick<NodeCalls, 'handOver'>;
  /** Leases granted to a node that its beats do not count yet. */
  readonly granting: Map<string, number>;
}

/** Has a holder that lives give its segment to another writer, which goes on from the journal. */
export class LeaseHandOver {
  readonly #deps: LeaseHandOverDeps;

  constructor(deps: LeaseHandOverDeps) {
    this.#deps = deps;
  }

  /** The writer that would take it from its holder; undefined: there is none, or its writes are on the holder's disk alone. */
  successor(lease: LeaseEntry): NodeEntry | undefined {
    if (!isJournaled(lease)) return undefined;
    const { view, granting } = this.#deps;
    try {
      return emptiestWriter(view, granting, { not: lease.document.node, stays: true });
    } catch (error) {
      if (TroughError.from(error).code !== 'NODE_UNAVAILABLE') throw error;
      return undefined;
    }
  }

  /** NODE_UNKNOWN; NODE_UNAVAILABLE: it lives not, or is no writer; SEGMENT_LEASED: its writes are on the holder's disk alone. */
  demand(id: SegmentId, lease: LeaseEntry, name: string): NodeEntry {
    const entry = this.#deps.view.node(name);
    if (entry === undefined)
      throw new TroughError('NODE_UNKNOWN', `the cluster knows no node '${name}'`, { node: name });
    if (!takesLeases(entry)) {
      const message = `the node '${name}' takes no segments for writing now: it is away, is being stopped, or has not the role`;
      throw new TroughError('NODE_UNAVAILABLE', message, { node: name });
    }
    if (isJournaled(lease)) return entry;
    const holder = lease.document.node;
    const message = `'${id}' was made writable without a journal, so its writes are on ${holder} alone: release it, then provision it`;
    throw new TroughError('SEGMENT_LEASED', message, { segment: id, node: holder });
  }

  async give(id: SegmentId, { document }: LeaseEntry, to: NodeEntry): Promise<void> {
    const { nodes, granting } = this.#deps;
    const { node, session } = to.document;
    granting.set(node, (granting.get(node) ?? 0) + 1);
    try {
      await nodes.handOver(document.node, { segment: id, epoch: document.epoch, to: { node, session } });
    } finally {
      granting.set(node, (granting.get(node) ?? 1) - 1);
    }
  }
}
