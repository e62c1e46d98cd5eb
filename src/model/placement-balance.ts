import { balanceByChains } from './placement-chains.ts';
import { type PlacementDraft } from './placement-draft.ts';
import { balanceBySwaps } from './placement-swaps.ts';

const MOST_ROUNDS = 40;
const MOST_TOO_HEAVY = 4;

/**
 * Moves places until no node is further from its target than the tolerance (5 %, or one mean place), as far as the rules let it. Whoever
 * is beyond it comes to within half of it, so that the next small change does not start it again; nobody else moves. Places that change
 * their node anyway go first: only what they cannot mend costs a move more. The number of moves.
 */
export function balance(draft: PlacementDraft): number {
  return balanceBy(draft, true) + balanceBy(draft, false);
}

function balanceBy(draft: PlacementDraft, onlyFree: boolean): number {
  let moves = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const before = moves;
    draft.retarget();
    moves += balanceDirectly(draft, onlyFree);
    if (moves === before) moves += balanceByChains(draft, onlyFree);
    if (moves === before && !onlyFree) moves += balanceBySwaps(draft);
    if (moves === before) break;
  }
  return moves;
}

function balanceDirectly(draft: PlacementDraft, onlyFree: boolean): number {
  const places = draft.placesByNode();
  let moves = 0;
  for (const node of nodesBy(draft, (one) => -draft.excess(one))) {
    if (-draft.excess(node) <= draft.tolerance(node)) continue;
    for (const donor of nodesBy(draft, (one) => draft.excess(one))) {
      const wanted = Math.min(-draft.excess(node) - draft.tolerance(node) / 2, draft.excess(donor));
      if (wanted > 0) moves += shift(draft, places, { from: donor, to: node, wanted, onlyFree });
    }
  }
  for (const node of nodesBy(draft, (one) => draft.excess(one))) {
    if (draft.excess(node) <= draft.tolerance(node)) continue;
    for (const taker of nodesBy(draft, (one) => -draft.excess(one))) {
      const room = draft.tolerance(taker) / 2 - draft.excess(taker);
      const wanted = Math.min(draft.excess(node) - draft.tolerance(node) / 2, room);
      if (wanted > 0) moves += shift(draft, places, { from: node, to: taker, wanted, onlyFree });
    }
  }
  return moves;
}

interface Shift {
  readonly from: number;
  readonly to: number;
  readonly wanted: number;
  readonly onlyFree: boolean;
}

/** Moves places that weigh `wanted` together at most, those first that rendezvous hashing would give the taker first; a heavier one when it still makes the two more alike. */
function shift(draft: PlacementDraft, places: number[][], { from, to, wanted, onlyFree }: Shift): number {
  const own = places[from] ?? [];
  const candidates = own
    .filter((at) => draft.table[at] === from && (!onlyFree || draft.isFree(at)) && draft.mayMove(at, to))
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
    const isBeyond = draft.excess(from) > draft.tolerance(from) || -draft.excess(to) > draft.tolerance(to);
    return isBeyond && weight < draft.excess(from) - draft.excess(to);
  }

  function move(at: number): void {
    draft.move(at, to);
    places[to]?.push(at);
    moves += 1;
  }
}

function nodesBy(draft: PlacementDraft, amount: (node: number) => number): number[] {
  return Array.from(draft.loads.keys()).sort((a, b) => amount(b) - amount(a) || a - b);
}
