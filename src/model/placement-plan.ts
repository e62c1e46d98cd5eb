import { TroughError } from '../errors.ts';
import { type NodeId } from './node-id.ts';
import { MOST_RANKS, type Placement, type PlacementNode } from './placement.ts';
import { balance } from './placement-balance.ts';
import { PlacementDraft } from './placement-draft.ts';
import { SLOT_COUNT } from './slot.ts';

/** What is stored: for each rank the bytes of each slot's segments that have a copy at that rank. undefined: not known, all slots count alike. */
export type SlotBytes = readonly Float64Array[];

export interface PlacementPolicy {
  /** The largest number of copies that is asked for of any segment. */
  readonly copies: number;
}

/**
 * The next placement. Pure and deterministic. `previous` itself comes back when it is still valid and balanced: every node within 5 % (or one mean
 * slot) of its share of the stored bytes, as far as zones allow. Else what is broken is repaired, and then as little moves as brings every node within
 * half of that. Without `previous`, weighted rendezvous hashing is the start. CONFIG_INVALID for a node that is named twice.
 */
export function plan(
  previous: Placement | undefined,
  nodes: readonly PlacementNode[],
  slotBytes: SlotBytes | undefined,
  policy: PlacementPolicy,
): Placement {
  const sorted = nodes.toSorted((a, b) => (a.node < b.node ? -1 : 1));
  const twice = sorted.find(({ node }, index) => node === sorted[index + 1]?.node);
  if (twice !== undefined) throw new TroughError('CONFIG_INVALID', `the node ${twice.node} is named twice`);
  const ranks = Math.min(Math.max(policy.copies, 1), sorted.length, MOST_RANKS);
  const draft = new PlacementDraft(sorted, ranks, slotWeights(slotBytes, ranks));
  const kept = previous === undefined ? 0 : draft.take(previous);
  const changes = draft.repairZones() + draft.fill() + balance(draft);
  const names = sorted.map(({ node }) => node);
  const isSame =
    previous?.ranks === ranks && kept === SLOT_COUNT * ranks && changes === 0 && haveEqualNames(previous.nodes, names);
  return isSame ? previous : { nodes: names, ranks, table: draft.table };
}

function haveEqualNames(one: readonly NodeId[], other: readonly NodeId[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}

/** Weight of each (slot, rank). An empty slot counts a hundredth of the mean, so that empty ones are spread too: they will fill. */
function slotWeights(slotBytes: SlotBytes | undefined, ranks: number): Float64Array {
  const weights = new Float64Array(SLOT_COUNT * ranks).fill(1);
  if (slotBytes === undefined) return weights;
  let total = 0;
  for (let rank = 0; rank < ranks; rank += 1) for (const bytes of slotBytes[rank] ?? []) total += bytes;
  if (total === 0) return weights;
  const least = total / weights.length / 100;
  for (let at = 0; at < weights.length; at += 1) {
    weights[at] = Math.max(least, slotBytes[at % ranks]?.[Math.trunc(at / ranks)] ?? 0);
  }
  return weights;
}
