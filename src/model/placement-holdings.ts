import { type NodeId } from './node-id.ts';
import { NO_NODE, nodesOf, type Placement } from './placement.ts';
import { type Slot, SLOT_COUNT } from './slot.ts';

/** How many copies a node has of each slot. */
export type Holdings = ReadonlyMap<string, Uint32Array>;

/**
 * Where copies lie already, as a placement: the nodes that have most of a slot come first in it, and `fallback` fills what is left. So that a plan that starts
 * from it moves little. `fallback` names the nodes and how many of them a slot is on.
 */
export function placementOfHoldings(fallback: Placement, holdings: Holdings): Placement {
  const { nodes, ranks } = fallback;
  const at = new Map<NodeId, number>(nodes.map((node, index) => [node, index]));
  const table = new Uint16Array(SLOT_COUNT * ranks).fill(NO_NODE);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const planned = nodesOf(fallback, slot as Slot);
    const has = (node: NodeId): number => holdings.get(node)?.[slot] ?? 0;
    // Of equals the planned one goes first, else the first by name: the sort is stable.
    const order = [...planned, ...nodes.filter((node) => !planned.includes(node))].sort((a, b) => has(b) - has(a));
    for (let rank = 0; rank < ranks; rank += 1) {
      const node = order[rank];
      if (node !== undefined) table[slot * ranks + rank] = at.get(node) ?? NO_NODE;
    }
  }
  return { nodes, ranks, table };
}
