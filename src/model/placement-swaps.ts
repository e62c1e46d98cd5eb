import { type PlacementDraft } from './placement-draft.ts';

/**
 * Where zones leave no other way (as many zones as copies), two nodes of one slot change ranks: the one that has too much holds fewer of the
 * slot's segments then, the other one more. Helps only where the ranks of a slot differ in weight. The number of places changed.
 */
export function balanceBySwaps(draft: PlacementDraft): number {
  const nodes = Array.from(draft.loads.keys());
  const beyond = nodes.filter((node) => Math.abs(draft.excess(node)) > draft.tolerance(node));
  if (beyond.length === 0) return 0;
  const places = draft.placesByNode();
  let changed = 0;
  for (const node of beyond) {
    for (const other of nodes.toSorted((a, b) => draft.excess(a) - draft.excess(b) || a - b)) {
      if (draft.excess(node) > 0) changed += lighten(draft, places[node] ?? [], node, other);
    }
    for (const other of nodes.toSorted((a, b) => draft.excess(b) - draft.excess(a) || a - b)) {
      if (draft.excess(node) < 0) changed += lighten(draft, places[other] ?? [], other, node);
    }
  }
  return changed;
}

/** Swaps where `from` then holds less and `to` more, the largest steps first, never past what either has too much or too little. */
function lighten(draft: PlacementDraft, places: readonly number[], from: number, to: number): number {
  const slack = (node: number): number => draft.tolerance(node) / 2;
  let left = Math.min(draft.excess(from) + slack(from), slack(to) - draft.excess(to));
  if (from === to || left <= 0 || !(isBeyond(from) || isBeyond(to)) || draft.excess(from) <= draft.excess(to)) return 0;
  const swaps = places
    .filter((at) => draft.table[at] === from)
    .map((at) => ({ at, other: draft.placeOf(Math.trunc(at / draft.ranks), to) }))
    .filter((swap): swap is { at: number; other: number } => swap.other !== undefined)
    .map((swap) => ({ ...swap, gain: (draft.weights[swap.at] ?? 0) - (draft.weights[swap.other] ?? 0) }))
    .filter(({ gain }) => gain > draft.meanWeight * 1e-6)
    .sort((a, b) => b.gain - a.gain || a.at - b.at);
  let changed = 0;
  for (const { at, other, gain } of swaps) {
    if (gain > left) continue;
    draft.swap(at, other);
    left -= gain;
    changed += 2;
  }
  return changed;

  function isBeyond(node: number): boolean {
    return Math.abs(draft.excess(node)) > draft.tolerance(node);
  }
}
