import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { movedBetween, nodesOf, type Placement, type PlacementNode } from '../../../src/model/placement.ts';
import { decodePlacement, encodePlacement } from '../../../src/model/placement-document.ts';
import { plan } from '../../../src/model/placement-plan.ts';
import { type Slot, SLOT_COUNT, slotOf } from '../../../src/model/slot.ts';

const GB = 1e9;
const node = (index: number, zone = 'default', quotaBytes = 100 * GB): PlacementNode => ({
  node: parseNodeId(`n${String(index).padStart(3, '0')}`),
  zone,
  quotaBytes,
});
const many = (count: number): PlacementNode[] => Array.from({ length: count }, (_, index) => node(index));
const slots = Array.from({ length: SLOT_COUNT }, (_, slot) => slot as Slot);

/** Load per node, in places or in bytes. */
function loads(placement: Placement, weight: (slot: number, rank: number) => number = () => 1): Map<string, number> {
  const sums = new Map<string, number>(placement.nodes.map((name) => [name, 0]));
  for (const slot of slots)
    nodesOf(placement, slot).forEach((name, rank) => sums.set(name, (sums.get(name) ?? 0) + weight(slot, rank)));
  return sums;
}

/** The largest distance from the share that the quota gives, as a part of it. */
function imbalance(
  placement: Placement,
  nodes: readonly PlacementNode[],
  weight?: (slot: number, rank: number) => number,
): number {
  const sums = loads(placement, weight);
  const total = [...sums.values()].reduce((sum, one) => sum + one, 0);
  const quota = nodes.reduce((sum, one) => sum + one.quotaBytes, 0);
  return Math.max(...nodes.map((one) => Math.abs((sums.get(one.node) ?? 0) / ((total * one.quotaBytes) / quota) - 1)));
}

function brokenSlots(placement: Placement, nodes: readonly PlacementNode[], ranks: number): number {
  const zoneOf = new Map(nodes.map((one) => [one.node, one.zone]));
  const needed = Math.min(ranks, new Set(zoneOf.values()).size);
  return slots.filter((slot) => {
    const names = nodesOf(placement, slot);
    const zones = new Set(names.map((name) => zoneOf.get(name)));
    return names.length !== ranks || new Set(names).size !== ranks || zones.has(undefined) || zones.size < needed;
  }).length;
}

test('each slot has its copies on different nodes, in different zones while there are enough, whatever the cluster', () => {
  const cluster = fc.array(
    fc.record({ zone: fc.constantFrom('a', 'b', 'c', 'd'), gigabytes: fc.integer({ min: 0, max: 20 }) }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(cluster, cluster, fc.integer({ min: 1, max: 9 }), (before, after, copies) => {
      const [first, second] = [before, after].map((shape) =>
        shape.map(({ zone, gigabytes }, index) => node(index, zone, gigabytes * GB)),
      );
      let placement: Placement | undefined;
      for (const nodes of [first ?? [], second ?? []]) {
        placement = plan(placement, nodes, undefined, { copies });
        const ranks = Math.min(copies, nodes.length, 8);
        expect(placement.ranks).toBe(ranks);
        expect(brokenSlots(placement, nodes, ranks)).toBe(0);
        expect(plan(placement, nodes, undefined, { copies })).toBe(placement);
      }
    }),
    { numRuns: 25, seed: 7 },
  );
});

test('the same question has the same answer, in whatever order the nodes are named', () => {
  const nodes = many(7);
  const one = plan(undefined, nodes, undefined, { copies: 3 });
  expect(plan(undefined, nodes.toReversed(), undefined, { copies: 3 })).toEqual(one);
});

test.each([1, 2, 3, 5, 10, 40])('%i equal nodes hold equal shares, within 5 % or one slot', (count) => {
  const nodes = many(count);
  expect(imbalance(plan(undefined, nodes, undefined, { copies: 2 }), nodes)).toBeLessThanOrEqual(0.05);
});

test('nodes of unequal quota hold shares in proportion', () => {
  const nodes = [1, 2, 3, 4, 2, 3].map((size, index) => node(index, 'z', size * GB));
  expect(imbalance(plan(undefined, nodes, undefined, { copies: 2 }), nodes)).toBeLessThanOrEqual(0.05);
});

test('three zones of unequal nodes: balanced within each zone, one copy in each', () => {
  const nodes = [0, 1, 2, 3, 4, 5].map((index) => node(index, `z${String(index % 3)}`, (index < 3 ? 100 : 300) * GB));
  const placement = plan(undefined, nodes, undefined, { copies: 3 });
  expect(brokenSlots(placement, nodes, 3)).toBe(0);
  expect(imbalance(placement, nodes)).toBeLessThanOrEqual(0.05);
});

test.each([3, 4, 10, 30])('of %i nodes one lost, or one more, moves no more than 1.1 of its share', (count) => {
  const nodes = many(count);
  const places = SLOT_COUNT * 2;
  const placement = plan(undefined, nodes, undefined, { copies: 2 });
  for (const lost of [0, Math.trunc(count / 2), count - 1]) {
    const left = nodes.filter((_, index) => index !== lost);
    const next = plan(placement, left, undefined, { copies: 2 });
    expect(movedBetween(placement, next)).toBeLessThanOrEqual((1.1 * places) / count);
    expect(imbalance(next, left)).toBeLessThanOrEqual(0.051);
    expect(movedBetween(next, plan(next, nodes, undefined, { copies: 2 }))).toBeLessThanOrEqual((1.1 * places) / count);
  }
  const more = [...nodes, node(count)];
  const next = plan(placement, more, undefined, { copies: 2 });
  expect(movedBetween(placement, next)).toBeLessThanOrEqual((1.1 * places) / (count + 1));
  expect(movedBetween(placement, next)).toBeGreaterThanOrEqual((0.9 * places) / (count + 1));
  expect(imbalance(next, more)).toBeLessThanOrEqual(0.051);
});

test('nodes come and go forty times: always valid and balanced, never more moves than needed', () => {
  let nodes = many(9);
  let placement = plan(undefined, nodes, undefined, { copies: 3 });
  for (let step = 0; step < 40; step += 1) {
    const before = nodes.length;
    nodes = step % 3 === 2 ? nodes.filter((_, index) => index !== step % before) : [...nodes, node(100 + step)];
    const next = plan(placement, nodes, undefined, { copies: 3 });
    expect(brokenSlots(next, nodes, 3)).toBe(0);
    expect(imbalance(next, nodes)).toBeLessThanOrEqual(0.055);
    expect(movedBetween(placement, next)).toBeLessThanOrEqual((1.1 * SLOT_COUNT * 3) / Math.min(before, nodes.length));
    placement = next;
  }
});

test('known bytes are balanced, by moving little; then nothing moves any more', () => {
  const nodes = many(8);
  const placement = plan(undefined, nodes, undefined, { copies: 2 });
  let seed = 1;
  const skewed = Float64Array.from({ length: SLOT_COUNT }, () => {
    seed = (Math.imul(seed, 48271) >>> 0) % 2147483647;
    return seed % 100 === 0 ? 50 * GB : seed % 1000;
  });
  const bytes = [skewed, skewed.map((one) => one / 2)];
  const weight = (slot: number, rank: number): number => bytes[rank]?.[slot] ?? 0;
  expect(imbalance(placement, nodes, weight)).toBeGreaterThan(0.06);
  const next = plan(placement, nodes, bytes, { copies: 2 });
  expect(imbalance(next, nodes, weight)).toBeLessThanOrEqual(0.06);
  expect(movedBetween(placement, next)).toBeLessThan(SLOT_COUNT * 2 * 0.15);
  expect(plan(next, nodes, bytes, { copies: 2 })).toBe(next);
});

test('a few large segments in an otherwise empty cluster are spread, and the plan comes to rest', () => {
  const nodes = many(4);
  const one = new Float64Array(SLOT_COUNT);
  for (let index = 0; index < 40; index += 1) one[slotOf(`station-${String(index)}`)] = 10 * GB;
  const placement = plan(undefined, nodes, [one], { copies: 1 });
  const counts = [...loads(placement, (slot) => one[slot] ?? 0).values()].map((sum) => sum / (10 * GB));
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  expect(plan(placement, nodes, [one], { copies: 1 })).toBe(placement);
});

test('more copies keep the nodes that are there and add one rank', () => {
  const nodes = many(5);
  const two = plan(undefined, nodes, undefined, { copies: 2 });
  const three = plan(two, nodes, undefined, { copies: 3 });
  const changed = slots.filter((slot) => nodesOf(two, slot).some((name, rank) => nodesOf(three, slot)[rank] !== name));
  expect(changed.length).toBeLessThan(SLOT_COUNT * 0.1);
  expect(brokenSlots(three, nodes, 3)).toBe(0);
});

test('zones that become known are respected from then on', () => {
  const nodes = many(6);
  const placement = plan(undefined, nodes, undefined, { copies: 2 });
  const zoned = nodes.map((one, index) => ({ ...one, zone: `z${String(index % 2)}` }));
  expect(brokenSlots(plan(placement, zoned, undefined, { copies: 2 }), zoned, 2)).toBe(0);
});

test('without nodes nothing is placed, and a node that is named twice is refused', () => {
  const empty = plan(undefined, [], undefined, { copies: 2 });
  expect(nodesOf(empty, slotOf('x'))).toEqual([]);
  expect(brokenSlots(plan(empty, many(2), undefined, { copies: 2 }), many(2), 2)).toBe(0);
  expect(() => plan(undefined, [node(1), node(1)], undefined, { copies: 2 })).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID' }),
  );
});

test('100 nodes and 3 copies are planned in under 3 s, balanced', () => {
  const nodes = many(100);
  const before = performance.now();
  const placement = plan(undefined, nodes, undefined, { copies: 3 });
  expect(performance.now() - before).toBeLessThan(3000);
  expect(imbalance(placement, nodes)).toBeLessThanOrEqual(0.05);
});

test('the stored document is the placement again, also while serving differs from target', () => {
  const target = plan(undefined, many(5), undefined, { copies: 3 });
  const serving = plan(undefined, [node(1), node(3), node(77)], undefined, { copies: 2 });
  for (const document of [
    { term: 3, epoch: 9, target, serving },
    { term: 0, epoch: 0, target, serving: target },
    { term: 1, epoch: 1, target: serving, serving: plan(undefined, [], undefined, { copies: 1 }) },
  ]) {
    expect(decodePlacement(encodePlacement(document))).toEqual(document);
  }
});

test('four copies on 300 nodes, all of them moving, are stored in less than 256 KB', () => {
  const target = plan(undefined, many(300), undefined, { copies: 4 });
  const serving = { ...target, table: target.table.toReversed() };
  expect(encodePlacement({ term: 1, epoch: 1, target, serving }).length).toBeLessThan(256 * 1024);
});

test('bytes that are no placement are refused', () => {
  for (const bad of [
    '',
    '{}',
    '[]',
    JSON.stringify({
      ...JSON.parse(
        Buffer.from(
          encodePlacement({
            term: 1,
            epoch: 1,
            target: plan(undefined, many(2), undefined, { copies: 1 }),
            serving: plan(undefined, many(2), undefined, { copies: 1 }),
          }),
        ).toString(),
      ),
      target: 'AAAA',
    }),
  ]) {
    expect(() => decodePlacement(Buffer.from(bad))).toThrow(expect.objectContaining({ code: 'METADATA_BROKEN' }));
  }
});
