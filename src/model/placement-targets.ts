import { type PlacementNode } from './placement.ts';

interface Claim {
  readonly weight: number;
  readonly least: number;
  readonly most: number;
}

/**
 * The share of all copies that each node should hold, summing to 1: in proportion to its quota, as far as its zone and the rule "one copy of a
 * slot per node" allow. A node can hold at most one of a slot's `ranks` copies; so can a zone while there are zones enough; and with fewer zones
 * than ranks each zone holds one at least.
 */
export function targetShares(nodes: readonly PlacementNode[], ranks: number): number[] {
  const zones = new Map<string, number[]>();
  nodes.forEach(({ zone }, index) => {
    const members = zones.get(zone);
    if (members === undefined) zones.set(zone, [index]);
    else members.push(index);
  });
  const members = [...zones.values()];
  const perZone = share(
    members.map((zone) => zoneClaim(zone.map(weightOf), ranks, members.length)),
    1,
  );
  const shares = new Array<number>(nodes.length).fill(0);
  members.forEach((zone, at) => {
    const claims = zone.map((index) => ({ weight: weightOf(index), least: 0, most: 1 / ranks }));
    const inZone = share(claims, perZone[at] ?? 0);
    zone.forEach((index, place) => {
      shares[index] = inZone[place] ?? 0;
    });
  });
  return shares;

  function weightOf(index: number): number {
    return Math.max(nodes[index]?.quotaBytes ?? 0, 0);
  }
}

function zoneClaim(weights: readonly number[], ranks: number, zones: number): Claim {
  const weight = weights.reduce((sum, one) => sum + one, 0);
  if (zones >= ranks) return { weight, least: 0, most: 1 / ranks };
  return { weight, least: 1 / ranks, most: Math.min(weights.length, ranks - zones + 1) / ranks };
}

/** Divides `total` by weight, each between its bounds, by halving the interval in which the common factor lies. */
function share(claims: readonly Claim[], total: number): number[] {
  const tiny = Math.max(...claims.map(({ weight }) => weight), 1) * 1e-9;
  const at = (factor: number): number[] =>
    claims.map(({ weight, least, most }) => Math.min(most, Math.max(least, factor * Math.max(weight, tiny))));
  const sum = (shares: readonly number[]): number => shares.reduce((all, one) => all + one, 0);
  let low = 0;
  let high = total / tiny;
  for (let round = 0; round < 200; round += 1) {
    const middle = (low + high) / 2;
    if (sum(at(middle)) < total) low = middle;
    else high = middle;
  }
  return at(high);
}
