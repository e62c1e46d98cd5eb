import { expect, test } from 'vitest';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { movedBetween, nodesOf, type Placement, type PlacementNode } from '../../../src/model/placement.ts';
import { plan } from '../../../src/model/placement-plan.ts';
import { type MoveLimits, stepToward } from '../../../src/model/placement-step.ts';
import { type Slot, SLOT_COUNT } from '../../../src/model/slot.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${String(index)}`);
const nodesNamed = (all: readonly string[]): PlacementNode[] =>
  all.map((name) => ({ node: parseNodeId(name), zone: name, quotaBytes: 1 }));
const planned = (all: readonly string[], from?: Placement): Placement =>
  plan(from, nodesNamed(all), undefined, { copies: 2 });

/** All steps until the goal, each one served before the next; the most that was on its way to one node, and in all. */
function walk(from: Placement, nodes: readonly string[], present: readonly string[], limits: MoveLimits) {
  let at = from;
  const most = { perNode: 0, inAll: 0, steps: 0 };
  for (;;) {
    const next = stepToward({ from: at, serving: at, goal: planned(nodes, at), present: new Set(present), limits });
    if (next === at) return { end: at, most };
    most.inAll = Math.max(most.inAll, movedBetween(at, next));
    for (const node of next.nodes) most.perNode = Math.max(most.perNode, gained(at, next, node));
    most.steps += 1;
    expect(isSound(next)).toBe(true);
    at = next;
  }
}

function gained(before: Placement, after: Placement, node: string): number {
  let sum = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const was = nodesOf(before, slot as Slot);
    nodesOf(after, slot as Slot).forEach((name, rank) => (sum += name === node && was[rank] !== name ? 1 : 0));
  }
  return sum;
}

function isSound(placement: Placement): boolean {
  return Array.from({ length: SLOT_COUNT }, (_, slot) => nodesOf(placement, slot as Slot)).every(
    (holders) => holders.length === 2 && new Set(holders).size === 2,
  );
}

test('a new node gets its share in steps, each within the limits, and no more moves than at once', () => {
  const before = planned(names(4));
  const limits = { perNode: 1_000, inAll: 5_000 };
  const { end, most } = walk(before, names(5), names(5), limits);
  expect(most.perNode).toBeLessThanOrEqual(1_001);
  expect(most.steps).toBeGreaterThan(5);
  expect(planned(names(5), end)).toBe(end);
  expect(movedBetween(before, end)).toBeLessThanOrEqual((1.1 * SLOT_COUNT * 2) / 5);
});

test('a drained node that lives is emptied in steps; the limit for all holds too', () => {
  const { end, most } = walk(planned(names(5)), names(4), names(5), { perNode: 100_000, inAll: 2_000 });
  expect(most.inAll).toBeLessThanOrEqual(2_000);
  expect(end.nodes).toEqual(names(4));
});

test('what a node that is gone had is made at once, whatever the limits', () => {
  const before = planned(names(5));
  const goal = planned(names(4), before);
  const left = new Set(names(4));
  const limits = { perNode: 1, inAll: 1 };
  const next = stepToward({ from: before, serving: before, goal, present: left, limits });
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) expect(nodesOf(next, slot as Slot)).not.toContain('n4');
});

test('what is on its way takes its room: nothing is added until some of it has arrived', () => {
  const before = planned(names(4));
  const goal = planned(names(5), before);
  const step = { goal, present: new Set(names(5)), limits: { perNode: 500, inAll: 10_000 } };
  const first = stepToward({ ...step, from: before, serving: before });
  expect(stepToward({ ...step, from: first, serving: before })).toBe(first);
  expect(stepToward({ ...step, from: first, serving: first })).not.toBe(first);
});

test('the first placement, and one with another number of copies, is not held back', () => {
  const none: Placement = { nodes: [], ranks: 0, table: new Uint16Array() };
  const goal = planned(names(3));
  const limits = { perNode: 1, inAll: 1 };
  expect(stepToward({ from: planned(names(2)), serving: none, goal, present: new Set(), limits })).toBe(goal);
  const one = plan(undefined, nodesNamed(names(3)), undefined, { copies: 1 });
  expect(stepToward({ from: one, serving: one, goal, present: new Set(names(3)), limits })).toBe(goal);
});
