import { type PlacementDraft } from './placement-draft.ts';

/** Longer ways than this were never needed; each step is one place moved. */
const LONGEST = 4;

interface Step {
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Where a node that has too much has no place that a node with too little may take, a third one passes it on: shortest augmenting paths over the
 * nodes, each moved as a batch and taken back when it did not help. The number of moves.
 */
export function balanceByChains(draft: PlacementDraft, onlyFree: boolean): number {
  const beyond = Array.from(draft.loads.keys())
    .filter((node) => Math.abs(draft.excess(node)) > draft.tolerance(node))
    .sort((a, b) => Math.abs(draft.excess(b)) - Math.abs(draft.excess(a)) || a - b);
  const places = draft.placesByNode();
  let moves = 0;
  for (const node of beyond) {
    const way = draft.excess(node) > 0 ? wayFrom(draft, places, node, onlyFree) : wayTo(draft, places, node, onlyFree);
    if (way !== undefined) moves += moveAlong(draft, places, way, onlyFree);
  }
  return moves;
}

function wayFrom(
  draft: PlacementDraft,
  places: readonly number[][],
  from: number,
  onlyFree: boolean,
): number[] | undefined {
  const isEnd = (node: number): boolean => draft.excess(node) < draft.tolerance(node) / 2 - draft.meanWeight / 2;
  return search(draft, from, isEnd, (node, next) => canGive(draft, places, node, next, onlyFree));
}

function wayTo(
  draft: PlacementDraft,
  places: readonly number[][],
  to: number,
  onlyFree: boolean,
): number[] | undefined {
  const isEnd = (node: number): boolean => draft.excess(node) > draft.meanWeight / 2 - draft.tolerance(node) / 2;
  return search(draft, to, isEnd, (node, next) => canGive(draft, places, next, node, onlyFree))?.reverse();
}

/** Breadth first. */
function search(
  draft: PlacementDraft,
  start: number,
  isEnd: (node: number) => boolean,
  leadsTo: (node: number, next: number) => boolean,
): number[] | undefined {
  const before = new Map<number, number | undefined>([[start, undefined]]);
  let frontier = [start];
  for (let depth = 0; depth < LONGEST && frontier.length > 0; depth += 1) {
    const reached: number[] = [];
    for (const node of frontier) {
      for (let next = 0; next < draft.loads.length; next += 1) {
        if (before.has(next) || !leadsTo(node, next)) continue;
        before.set(next, node);
        if (isEnd(next)) return trace(before, next);
        reached.push(next);
      }
    }
    frontier = reached;
  }
  return undefined;
}

function trace(before: ReadonlyMap<number, number | undefined>, end: number): number[] {
  const way: number[] = [];
  for (let node: number | undefined = end; node !== undefined; node = before.get(node)) way.unshift(node);
  return way;
}

function canGive(
  draft: PlacementDraft,
  places: readonly number[][],
  from: number,
  to: number,
  onlyFree: boolean,
): boolean {
  return (places[from] ?? []).some((at) => mayGive(draft, at, from, to, onlyFree));
}

function mayGive(draft: PlacementDraft, at: number, from: number, to: number, onlyFree: boolean): boolean {
  return draft.table[at] === from && (!onlyFree || draft.isFree(at)) && draft.mayMove(at, to);
}

function moveAlong(draft: PlacementDraft, places: number[][], way: readonly number[], onlyFree: boolean): number {
  const [first = 0] = way;
  const last = way.at(-1) ?? 0;
  const wanted = Math.max(
    Math.min(draft.excess(first) + draft.tolerance(first) / 2, draft.tolerance(last) / 2 - draft.excess(last)),
    draft.meanWeight,
  );
  const before = draft.strain();
  const steps: Step[] = [];
  let weight = wanted;
  way.slice(1).forEach((to, index) => {
    weight = give(draft, places, { from: way[index] ?? 0, to, wanted: weight, onlyFree }, steps);
  });
  if (weight > 0 && draft.strain() < before) {
    for (const { at, to } of steps) places[to]?.push(at);
    return steps.length;
  }
  for (const { at, from } of steps.reverse()) draft.move(at, from);
  return 0;
}

interface Gift {
  readonly from: number;
  readonly to: number;
  readonly wanted: number;
  readonly onlyFree: boolean;
}

/** Moves what weighs `wanted` together at most; free places first, heavy ones before light ones. What it weighs. */
function give(draft: PlacementDraft, places: readonly number[][], gift: Gift, steps: Step[]): number {
  const { from, to, wanted, onlyFree } = gift;
  const candidates = (places[from] ?? [])
    .filter((at) => mayGive(draft, at, from, to, onlyFree))
    .sort((a, b) => Number(draft.isFree(b)) - Number(draft.isFree(a)) || weightOf(b) - weightOf(a) || a - b);
  let left = wanted;
  for (const at of candidates) {
    if (weightOf(at) > left + draft.meanWeight * 1e-9 || !mayGive(draft, at, from, to, onlyFree)) continue;
    draft.move(at, to);
    steps.push({ at, from, to });
    left -= weightOf(at);
  }
  return wanted - left;

  function weightOf(at: number): number {
    return draft.weights[at] ?? 0;
  }
}
