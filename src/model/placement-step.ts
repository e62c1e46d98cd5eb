import { type NodeId } from './node-id.ts';
import { NO_NODE, type Placement } from './placement.ts';
import { SLOT_COUNT } from './slot.ts';

/** How many (slot, rank) places may be on their way at a time. */
export interface MoveLimits {
  /** To one node. */
  readonly perNode: number;
  readonly inAll: number;
}

export interface Step {
  /** Where copies are wanted now. */
  readonly from: Placement;
  /** Where they are served; what differs from `from` is on its way. */
  readonly serving: Placement;
  /** Where they are to be in the end. */
  readonly goal: Placement;
  /** Nodes that live: what is on one of them can wait there for its turn. */
  readonly present: ReadonlySet<string>;
  readonly limits: MoveLimits;
}

/**
 * The next placement on the way to `goal`: a slot is as it was or as it is to be, so that each step keeps every rule. Moves that nobody waits for
 * are held back by the limits; slots of a node that is gone are not, but they count. `from` itself comes back when nothing more may move
 * now, `goal` when nothing is left. Called again as moves end, it arrives.
 */
export function stepToward({ from, serving, goal, present, limits }: Step): Placement {
  if (from === goal || serving.ranks === 0 || from.ranks !== goal.ranks) return goal;
  const flights = new Flights(limits);
  const slots = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);
  const changing = slots.filter((slot) => gainsOf(from, goal, slot).length > 0);
  for (const slot of slots) flights.take(gainsOf(serving, from, slot));
  const mustMove = (slot: number): boolean =>
    namesOf(from, slot).some((node) => node === undefined || !present.has(node));
  const taken = new Set(changing.filter(mustMove));
  for (const slot of taken) flights.take(gainsOf(from, goal, slot));
  for (const slot of changing) {
    const gains = taken.has(slot) ? [] : gainsOf(from, goal, slot);
    if (gains.length === 0 || !flights.hasRoom(gains)) continue;
    flights.take(gains);
    taken.add(slot);
  }
  if (taken.size === changing.length) return goal;
  return taken.size === 0 ? from : merge(from, goal, taken);
}

class Flights {
  readonly #limits: MoveLimits;
  readonly #to = new Map<string, number>();
  #all = 0;

  constructor(limits: MoveLimits) {
    this.#limits = limits;
  }

  take(gains: readonly string[]): void {
    this.#all += gains.length;
    for (const node of gains) this.#to.set(node, (this.#to.get(node) ?? 0) + 1);
  }

  /** A slot that has more moves than the limit goes alone. */
  hasRoom(gains: readonly string[]): boolean {
    if (this.#all === 0) return true;
    const { perNode, inAll } = this.#limits;
    return this.#all + gains.length <= inAll && gains.every((node) => (this.#to.get(node) ?? 0) < perNode);
  }
}

/** The nodes that have a rank of the slot in `after` and another one, or none, in `before`. */
function gainsOf(before: Placement, after: Placement, slot: number): NodeId[] {
  const gains: NodeId[] = [];
  for (let rank = 0; rank < after.ranks; rank += 1) {
    const node = nodeAt(after, slot, rank);
    if (node !== undefined && nodeAt(before, slot, rank) !== node) gains.push(node);
  }
  return gains;
}

function namesOf(placement: Placement, slot: number): (NodeId | undefined)[] {
  return Array.from({ length: placement.ranks }, (_, rank) => nodeAt(placement, slot, rank));
}

function nodeAt({ nodes, ranks, table }: Placement, slot: number, rank: number): NodeId | undefined {
  return rank < ranks ? nodes[table[slot * ranks + rank] ?? NO_NODE] : undefined;
}

function merge(from: Placement, goal: Placement, taken: ReadonlySet<number>): Placement {
  const used = new Set<NodeId>(goal.nodes);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!taken.has(slot)) for (const node of namesOf(from, slot)) if (node !== undefined) used.add(node);
  }
  const nodes = [...used].sort((a, b) => (a < b ? -1 : 1));
  const at = new Map(nodes.map((node, index) => [node, index]));
  const table = new Uint16Array(SLOT_COUNT * goal.ranks).fill(NO_NODE);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    namesOf(taken.has(slot) ? goal : from, slot).forEach((node, rank) => {
      if (node !== undefined) table[slot * goal.ranks + rank] = at.get(node) ?? NO_NODE;
    });
  }
  return { nodes, ranks: goal.ranks, table };
}
