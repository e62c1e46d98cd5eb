import { type NodeId } from './node-id.ts';
import { type Slot, SLOT_COUNT } from './slot.ts';

/** No slot is on more nodes than this by placement. */
export const MOST_RANKS = 8;
/** Stands in a placement's table where no node has the rank. */
export const NO_NODE = 0xffff;

/** A node that copies may be placed on. Leave out what is draining or lost. */
export interface PlacementNode {
  readonly node: NodeId;
  /** Copies of one slot share a zone only when there are not enough zones. */
  readonly zone: string;
  readonly quotaBytes: number;
}

/** Slot → ranked nodes. Immutable: a change is another placement. */
export interface Placement {
  /** Sorted by name, each once. */
  readonly nodes: readonly NodeId[];
  readonly ranks: number;
  /** SLOT_COUNT × ranks indexes into `nodes`, or NO_NODE; the ranks of one slot lie side by side. */
  readonly table: Uint16Array;
}

/** The nodes of a slot by rank; a segment with c copies lives on the first c of them. */
export function nodesOf(placement: Placement, slot: Slot): NodeId[] {
  const { nodes, ranks, table } = placement;
  const found: NodeId[] = [];
  for (let rank = 0; rank < ranks; rank += 1) {
    const node = nodes[table[slot * ranks + rank] ?? NO_NODE];
    if (node !== undefined) found.push(node);
  }
  return found;
}

/** How many (slot, rank) places hold another node in `next` than in `previous`. */
export function movedBetween(previous: Placement, next: Placement): number {
  let moved = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    for (let rank = 0; rank < next.ranks; rank += 1) {
      if (nodeAt(previous, slot, rank) !== nodeAt(next, slot, rank)) moved += 1;
    }
  }
  return moved;
}

/** The nodes that have a (slot, rank) place in `next` that another one has in `previous`. */
export function gainersBetween(previous: Placement, next: Placement): ReadonlySet<string> {
  const gainers = new Set<string>();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    for (let rank = 0; rank < next.ranks; rank += 1) {
      const node = nodeAt(next, slot, rank);
      if (node !== undefined && node !== nodeAt(previous, slot, rank)) gainers.add(node);
    }
  }
  return gainers;
}

function nodeAt(placement: Placement, slot: number, rank: number): NodeId | undefined {
  if (rank >= placement.ranks) return undefined;
  return placement.nodes[placement.table[slot * placement.ranks + rank] ?? NO_NODE];
}
