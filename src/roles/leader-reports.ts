import { type SegmentCounts } from '../actors/leader/catalogue.ts';
import { type NodeEntry } from '../messages/cluster-view.ts';
import { type NodeStatus, type SegmentAnswer, type SegmentRow, type StatusAnswer } from '../messages/control.ts';
import { type Slot } from '../model/slot.ts';
import { type NodeContext } from './node-context.ts';

/** What `trough status` shows, as this process sees the cluster. */
export function describeStatus({ view, placement }: NodeContext, { hot, cold }: SegmentCounts): StatusAnswer {
  const leader = view.leader()?.document;
  const nodes = view.nodes().map((entry) => describeNode(entry, view.leasesOf(entry.document.node)));
  let writable = 0;
  for (const { document } of view.leases()) if (document.state === 'held') writable += 1;
  const underReplicated = nodes.reduce((sum, { pending }) => sum + pending, 0);
  return {
    leader: leader?.held === true ? { node: leader.node, term: leader.term } : null,
    nodes: nodes.sort((a, b) => (a.node < b.node ? -1 : 1)),
    segments: { hot, cold, writable },
    placement: { epoch: placement.document?.epoch ?? 0, underReplicated },
  };
}

function describeNode({ document, beat, state, silentMs }: NodeEntry, leases: number): NodeStatus {
  const { node, zone, roles, quotaBytes } = document;
  return {
    node,
    zone,
    roles,
    state,
    quotaBytes,
    storedBytes: beat?.storedBytes ?? 0,
    copies: beat?.copies ?? 0,
    pending: beat?.pending ?? 0,
    leases,
    load: beat?.load ?? 0,
    beatAgeMs: beat === undefined ? null : silentMs,
  };
}

/** Where one segment is, and who answers for it. */
export function describeSegment({ view, placement, rule }: NodeContext, row: SegmentRow): SegmentAnswer {
  const { copies } = rule(row.id);
  const { target, serving } = placement.of(row.slot as Slot);
  const lease = view.lease(row.id)?.document;
  return {
    ...row,
    copies,
    nodes: target.slice(0, copies).map((node, rank) => ({
      node,
      rank,
      serving: serving.slice(0, copies).includes(node),
      state: view.node(node)?.state ?? 'lost',
    })),
    ...(lease === undefined
      ? {}
      : {
          lease: {
            node: lease.node,
            epoch: lease.epoch,
            state: lease.state,
            version: lease.version,
            unpromoted: lease.unpromoted,
          },
        }),
  };
}
