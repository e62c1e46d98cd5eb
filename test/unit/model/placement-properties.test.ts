import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { movedBetween, nodesOf, type Placement, type PlacementNode } from '../../../src/model/placement.ts';
import { loadsOf, overQuota } from '../../../src/model/placement-load.ts';
import { plan, type SlotBytes } from '../../../src/model/placement-plan.ts';
import { type Slot, SLOT_COUNT, slotOf } from '../../../src/model/slot.ts';

const GB = 1e9;
const PLACES_ALIKE: SlotBytes = Array.from({ length: 8 }, () => new Float64Array(SLOT_COUNT).fill(1));

interface Cluster {
  readonly nodes: readonly PlacementNode[];
  readonly copies: number;
}

function named(shapes: readonly { zone: string; gigabytes: number }[]): PlacementNode[] {
  return shapes.map(({ zone, gigabytes }, index) => ({
    node: parseNodeId(`n${String(index)}`),
    zone,
    quotaBytes: gigabytes * GB,
  }));
}

const zone = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const shape = fc.record({ zone, gigabytes: fc.integer({ min: 1, max: 20 }) });
const anyCluster: fc.Arbitrary<Cluster> = fc
  .record({ shapes: fc.array(shape, { minLength: 1, maxLength: 16 }), copies: fc.integer({ min: 1, max: 4 }) })
  .map(({ shapes, copies }) => ({ nodes: named(shapes), copies }));

/** The quotas can be kept in proportion: no node and no zone would need more than its one copy of a slot, with something to spare. */
function isRoomy({ nodes, copies }: Cluster): boolean {
  const total = nodes.reduce((sum, one) => sum + one.quotaBytes, 0);
  const zones = new Map<string, number>();
  for (const one of nodes) zones.set(one.zone, (zones.get(one.zone) ?? 0) + one.quotaBytes);
  const fits = (bytes: number): boolean => (bytes / total) * copies <= 0.9;
  return (
    nodes.length > copies &&
    nodes.every((one) => fits(one.quotaBytes)) &&
    (zones.size === 1 || [...zones.values()].every(fits))
  );
}

const roomyCluster = fc
  .record({ shapes: fc.array(shape, { minLength: 6, maxLength: 16 }), copies: fc.integer({ min: 1, max: 3 }) })
  .map(({ shapes, copies }) => ({ nodes: named(shapes), copies }))
  .filter(isRoomy);

/** Bytes of the slots, alike or very unlike each other; a later rank never has more than an earlier one. */
const someBytes = fc
  .record({ seed: fc.integer(), spread: fc.constantFrom(0, 1, 3), thinning: fc.constantFrom(1, 0.5, 0.1) })
  .map(({ seed, spread, thinning }) => {
    let state = seed >>> 0;
    const first = Float64Array.from({ length: SLOT_COUNT }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return 1e6 * Math.exp(spread * (state / 2 ** 31 - 1));
    });
    return [0, 1, 2, 3].map((rank) => first.map((bytes) => bytes * thinning ** rank));
  });

/** How far the worst node is beyond 5 % of its share by quota, or one mean place; 0 or less when all are within. */
function worstBeyond(placement: Placement, nodes: readonly PlacementNode[], bytes: SlotBytes): number {
  const loads = loadsOf(placement, bytes);
  const total = loads.reduce((sum, load) => sum + load.bytes, 0);
  const quota = nodes.reduce((sum, one) => sum + one.quotaBytes, 0);
  const quotas = new Map(nodes.map((one) => [one.node, one.quotaBytes]));
  const oneSlot = total / (SLOT_COUNT * placement.ranks);
  return Math.max(
    ...loads.map((load) => {
      const share = (total * (quotas.get(load.node) ?? 0)) / quota;
      return Math.abs(load.bytes - share) - Math.max(0.05 * share, oneSlot);
    }),
  );
}

function brokenSlots(placement: Placement, { nodes, copies }: Cluster): number {
  const zoneOf = new Map(nodes.map((one) => [one.node, one.zone]));
  const ranks = Math.min(copies, nodes.length);
  const zonesNeeded = Math.min(ranks, new Set(zoneOf.values()).size);
  let broken = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const holders = nodesOf(placement, slot as Slot);
    const zones = new Set(holders.map((holder) => zoneOf.get(holder)));
    if (holders.length !== ranks || new Set(holders).size !== ranks || zones.size < zonesNeeded) broken += 1;
  }
  return broken;
}

test('whatever the cluster and the bytes: copies on different nodes, zones apart while there are enough, and at rest when nothing changes', () => {
  fc.assert(
    fc.property(anyCluster, anyCluster, someBytes, (before, after, bytes) => {
      let placement: Placement | undefined;
      for (const cluster of [before, after]) {
        placement = plan(placement, cluster.nodes, bytes, cluster);
        expect(brokenSlots(placement, cluster)).toBe(0);
        expect(plan(placement, cluster.nodes, bytes, cluster)).toBe(placement);
      }
    }),
    { numRuns: 20, seed: 11 },
  );
});

test('every node holds its share by quota, within 5 % or one slot, however unlike the quotas are', () => {
  fc.assert(
    fc.property(roomyCluster, ({ nodes, copies }) => {
      const placement = plan(undefined, nodes, undefined, { copies });
      expect(worstBeyond(placement, nodes, PLACES_ALIKE)).toBeLessThanOrEqual(0);
    }),
    { numRuns: 30, seed: 12 },
  );
});

test('known bytes are within 5 % of the quota ratio, however unlike slots and ranks are, also after a node has gone', () => {
  fc.assert(
    fc.property(roomyCluster, someBytes, (cluster, bytes) => {
      const before = plan(undefined, cluster.nodes, bytes, cluster);
      expect(worstBeyond(before, cluster.nodes, bytes)).toBeLessThanOrEqual(1);
      const left = { ...cluster, nodes: cluster.nodes.slice(1) };
      fc.pre(isRoomy(left));
      const after = plan(before, left.nodes, bytes, cluster);
      expect(worstBeyond(after, left.nodes, bytes)).toBeLessThanOrEqual(1);
    }),
    { numRuns: 25, seed: 13 },
  );
});

test('a node that comes or goes moves 1.1 of its share at most, or of 1/N where it is smaller than others', () => {
  fc.assert(
    fc.property(roomyCluster, fc.nat(), ({ nodes, copies }, pick) => {
      const one = nodes[pick % nodes.length] as PlacementNode;
      const others = nodes.filter((other) => other !== one);
      fc.pre(isRoomy({ nodes: others, copies }));
      const quota = nodes.reduce((sum, { quotaBytes }) => sum + quotaBytes, 0);
      const most = 1.1 * SLOT_COUNT * copies * Math.max(one.quotaBytes / quota, 1 / nodes.length);
      const withIt = plan(undefined, nodes, undefined, { copies });
      expect(movedBetween(withIt, plan(withIt, others, undefined, { copies }))).toBeLessThanOrEqual(most);
      const withoutIt = plan(undefined, others, undefined, { copies });
      expect(movedBetween(withoutIt, plan(withoutIt, nodes, undefined, { copies }))).toBeLessThanOrEqual(most);
    }),
    { numRuns: 30, seed: 14 },
  );
});

test('one segment of 500 GB among small ones: its nodes hold little else, all others their share of the rest, and the plan comes to rest', () => {
  const nodes = named(Array.from({ length: 10 }, () => ({ zone: 'z', gigabytes: 1_000 })));
  const small = new Float64Array(SLOT_COUNT).fill(0.03 * GB);
  const before = plan(undefined, nodes, [small, small], { copies: 2 });
  const slot = slotOf('the-huge-one');
  const bytes = small.map((one, at) => (at === slot ? 500 * GB : one));
  const placement = plan(before, nodes, [bytes, bytes], { copies: 2 });
  const holders = nodesOf(placement, slot);
  expect(holders).toEqual(nodesOf(before, slot));
  const others = loadsOf(placement, [bytes, bytes]).filter(({ node }) => !holders.includes(node));
  const rest = small.reduce((sum, one) => sum + one, 0) * 2;
  for (const load of others) expect(Math.abs(load.bytes / (rest / others.length) - 1)).toBeLessThanOrEqual(0.05);
  expect(plan(placement, nodes, [bytes, bytes], { copies: 2 })).toBe(placement);
});

test('more than all quotas together: the plan ends, stays balanced, and names every node as over its quota', () => {
  const nodes = named([1, 2, 3, 4, 5].map((gigabytes) => ({ zone: 'z', gigabytes })));
  const bytes = new Float64Array(SLOT_COUNT).fill(1e7);
  const placement = plan(undefined, nodes, [bytes], { copies: 1 });
  expect(worstBeyond(placement, nodes, [bytes])).toBeLessThanOrEqual(0);
  expect(overQuota(loadsOf(placement, [bytes]), nodes).map(({ node }) => node)).toEqual(nodes.map(({ node }) => node));
  expect(plan(placement, nodes, [bytes], { copies: 1 })).toBe(placement);
  const few = bytes.map(() => 1e5);
  expect(overQuota(loadsOf(placement, [few]), nodes)).toEqual([]);
});
