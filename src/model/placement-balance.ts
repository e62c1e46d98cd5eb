import { type PlacementDraft } from './placement-draft.ts';

const TOLERANCE = 0.05;
const MOST_ROUNDS = 12;
const MOST_TOO_HEAVY = 4;

/**
 * Moves places until no node is further from its target than the tolerance (5 %, or one mean place), as far as the rules let it. Whoever
 * is beyond it comes to within half of it, so that the next small change does not start it again; nobody else moves. The number of moves.
 */
export function balance(draft: PlacementDraft): number {
  let moves = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const before = moves;
    const places = placesByNode(draft);
    for (const node of nodesBy(draft, (one) => -draft.excess(one))) {
      if (-draft.excess(node) <= tolerance(draft, node)) break;
      for (const donor of nodesBy(draft, (one) => draft.excess(one))) {
        const wanted = Math.min(-draft.excess(node) - tolerance(draft, node) / 2, draft.excess(donor));
        if (wanted > 0) moves += shift(draft, places, donor, node, wanted);
      }
    }
    for (const node of nodesBy(draft, (one) => draft.excess(one))) {
      if (draft.excess(node) <= tolerance(draft, node)) break;
      for (const taker of nodesBy(draft, (one) => -draft.excess(one))) {
        const room = tolerance(draft, taker) / 2 - draft.excess(taker);
        const wanted = Math.min(draft.excess(node) - tolerance(draft, node) / 2, room);
        if (wanted > 0) moves += shift(draft, places, node, taker, wanted);
      }
    }
    if (moves === before) break;
  }
  return moves;
}

function tolerance(draft: PlacementDraft, node: number): number {
  return Math.max(TOLERANCE * (draft.targets[node] ?? 0), draft.meanWeight);
}

/** Moves places that weigh `wanted` together at most, those first that rendezvous hashing would give the taker first; a heavier one when it still makes the two more alike. */
function shift(draft: PlacementDraft, places: number[][], from: number, to: number, wanted: number): number {
  const own = places[from] ?? [];
  const candidates = own
    .filter((at) => draft.table[at] === from && draft.mayMove(at, to))
    .map((at) => ({ at, cost: draft.cost(to, Math.trunc(at / draft.ranks)), weight: draft.weights[at] ?? 0 }))
    .sort((a, b) => a.cost - b.cost || a.at - b.at);
  let left = wanted;
  let moves = 0;
  let tooHeavy = 0;
  for (const { at, weight } of candidates) {
    if (weight <= left) {
      move(at);
      left -= weight;
    } else if (isWorthIt(weight)) {
      move(at);
      return moves;
    } else {
      // Going on would move a great many light places to make up for what one heavy one weighs.
      tooHeavy += 1;
      if (tooHeavy >= MOST_TOO_HEAVY) break;
    }
  }
  if (moves > 0) return moves;
  const lightest = candidates.toSorted((a, b) => a.weight - b.weight)[0];
  if (lightest !== undefined && isWorthIt(lightest.weight)) move(lightest.at);
  return moves;

  /** More than was wanted, but the two are more alike afterwards, and one of them is beyond its tolerance. */
  function isWorthIt(weight: number): boolean {
    const isBeyond = draft.excess(from) > tolerance(draft, from) || -draft.excess(to) > tolerance(draft, to);
    return isBeyond && weight < draft.excess(from) - draft.excess(to);
  }

  function move(at: number): void {
    draft.move(at, to);
    places[to]?.push(at);
    moves += 1;
  }
}

function placesByNode(draft: PlacementDraft): number[][] {
  const places: number[][] = Array.from(draft.loads, () => []);
  draft.table.forEach((node, at) => places[node]?.push(at));
  return places;
}

function nodesBy(draft: PlacementDraft, amount: (node: number) => number): number[] {
  return Array.from(draft.loads.keys()).sort((a, b) => amount(b) - amount(a) || a - b);
}
