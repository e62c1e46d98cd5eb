import { expect, test } from 'vitest';
import { parseNodeId } from '../../../src/model/node-id.ts';
import { movedBetween, nodesOf } from '../../../src/model/placement.ts';
import { placementOfHoldings } from '../../../src/model/placement-holdings.ts';
import { plan } from '../../../src/model/placement-plan.ts';
import { SLOT_COUNT, type Slot } from '../../../src/model/slot.ts';

const NODES = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ node: parseNodeId(name), zone: name, quotaBytes: 1e9 }));
const planned = plan(undefined, NODES, undefined, { copies: 2 });

test('where nothing is held the plan stays as it is', () => {
  expect(movedBetween(planned, placementOfHoldings(planned, new Map()))).toBe(0);
});

test('copies stay where they are: a placement that came about otherwise is found again from them', () => {
  const four = plan(undefined, NODES.slice(0, 4), undefined, { copies: 2 });
  const grown = plan(four, NODES, undefined, { copies: 2 });
  expect(movedBetween(grown, planned)).toBeGreaterThan(0);
  const holdings = new Map(NODES.map(({ node }) => [node as string, new Uint32Array(SLOT_COUNT)]));
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    // More segments have one copy than two, so the first node of a slot has more of them.
    for (const [rank, node] of nodesOf(grown, slot as Slot).entries())
      holdings.get(node)?.fill(3 - rank, slot, slot + 1);
  }
  expect(movedBetween(grown, placementOfHoldings(planned, holdings))).toBe(0);
});
