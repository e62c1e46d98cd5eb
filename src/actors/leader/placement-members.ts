import { type ClusterView, type NodeEntry } from '../../messages/cluster-view.ts';
import { parseNodeId } from '../../model/node-id.ts';
import { type PlacementNode } from '../../model/placement.ts';

export interface MembersOptions {
  /** The nodes that the placement names now. */
  readonly placed: readonly string[];
  readonly rebuildAfterMs: number;
  /** The largest number of copies that any segment is to have. */
  readonly ranks: number;
}

export interface PlacementMembers {
  /** Those that copies may be on. */
  readonly nodes: readonly PlacementNode[];
  /** Those among them that are to be emptied and cannot be: without them there would be fewer copies. */
  readonly kept: readonly string[];
  /** All that are not given up, those that are drained too: copies may wait on them for their turn to move. */
  readonly present: ReadonlySet<string>;
}

/**
 * The nodes that copies may be on: those that live, and those that were placed and are not away for long enough to be given up. A node that is
 * drained is none of them, while as many others are left as a segment has copies; of several that cannot all go, those that were asked first go.
 */
export function placementMembers(
  view: ClusterView,
  { placed, rebuildAfterMs, ranks }: MembersOptions,
): PlacementMembers {
  const before = new Set(placed);
  // A document outlives its node, and says `up` of one that died: who was not placed comes in by a beat of its own.
  const members = view
    .nodes()
    .filter(({ document }) => document.roles.includes('sync-local'))
    .filter(({ document, state, beat }) => before.has(document.node) || (state === 'alive' && beat !== undefined));
  const present = members.filter((entry) => !isGone(entry, rebuildAfterMs));
  // When most fall silent at once it is the network, or this process: moving everything would only make it worse.
  const known = members.length > 2 && present.length * 2 < members.length ? members : present;
  const sinceMs = ({ document }: NodeEntry): number => view.drainOf(document.node)?.sinceMs ?? Infinity;
  const drained = known
    .filter(({ document }) => view.drainOf(document.node) !== undefined)
    .sort((a, b) => sinceMs(b) - sinceMs(a) || (a.document.node < b.document.node ? -1 : 1));
  const missing = Math.min(ranks, known.length) - (known.length - drained.length);
  const kept = drained.slice(0, Math.max(missing, 0)).map(({ document }) => document.node);
  const nodes = known.filter(
    ({ document }) => view.drainOf(document.node) === undefined || kept.includes(document.node),
  );
  return { nodes: nodes.map(asPlacementNode), kept, present: new Set(known.map(({ document }) => document.node)) };
}

/** Away for so long that its copies are made elsewhere. */
export function isGone({ state, silentMs }: NodeEntry, rebuildAfterMs: number): boolean {
  return (state === 'lost' || state === 'stopped') && silentMs >= rebuildAfterMs;
}

function asPlacementNode({ document }: NodeEntry): PlacementNode {
  return { node: parseNodeId(document.node), zone: document.zone, quotaBytes: document.quotaBytes };
}
