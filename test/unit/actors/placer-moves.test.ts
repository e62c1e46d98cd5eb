import { expect, test } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { movedBetween, type Placement } from '../../../src/model/placement.ts';
import { loadsOf } from '../../../src/model/placement-load.ts';
import { SLOT_COUNT } from '../../../src/model/slot.ts';
import { SlotSums } from '../../../src/model/slot-sums.ts';
import { placing } from './placer-fixture.ts';

const NOBODY: Placement = { nodes: [], ranks: 0, table: new Uint16Array() };

test('a drained node gets no copies any more, and serves until those of the others are complete', async () => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2', 'n3');
  await tick();
  complete('n1', 'n2', 'n3');
  await tick();
  await cluster.put(keys.drain('n3'), { node: 'n3', sinceMs: 1 });
  await tick();
  expect(placement()).toMatchObject({
    epoch: 2,
    target: { nodes: ['n1', 'n2'] },
    serving: { nodes: ['n1', 'n2', 'n3'] },
  });
  complete('n1', 'n2');
  await tick();
  expect(placement()?.serving.nodes).toEqual(['n1', 'n2']);
});

test('a drain that would cost copies waits; of several, those that were asked first are emptied', async () => {
  const { cluster, placement, tick } = await placing('n1', 'n2', 'n3');
  await tick();
  for (const [at, node] of ['n2', 'n1', 'n3'].entries()) await cluster.put(keys.drain(node), { node, sinceMs: at });
  await tick();
  expect(placement()?.target.nodes).toEqual(['n1', 'n3']);
});

test('a drain that is taken back, also by another leader, brings the node its share again', async () => {
  const { cluster, placement, tick, leadership } = await placing('n1', 'n2', 'n3');
  await cluster.put(keys.drain('n3'), { node: 'n3', sinceMs: 1 });
  await tick();
  leadership.term = 4;
  await tick();
  expect(placement()).toMatchObject({ term: 4, target: { nodes: ['n1', 'n2'] } });
  await cluster.store.delete(keys.drain('n3'), (await cluster.store.get(keys.drain('n3')))?.revision ?? 0);
  await cluster.settle();
  await tick();
  expect(placement()?.target.nodes).toEqual(['n1', 'n2', 'n3']);
});

test('moves that nobody waits for go in steps: the next one when the copies of this one are complete', async () => {
  const { cluster, placement, tick, complete, moves, placer } = await placing('n1', 'n2', 'n3');
  await tick();
  complete('n1', 'n2', 'n3');
  await tick();
  moves.perNode = 3_000;
  await cluster.node('n4');
  await tick();
  const first = placement();
  expect(movedBetween(first?.serving ?? NOBODY, first?.target ?? NOBODY)).toBe(3_000);
  expect(placer.waiting).toBeGreaterThan(1_000);
  expect(['n1', 'n4'].map((node) => placer.gainsMore(node))).toEqual([false, true]);
  await tick();
  expect(placement()?.epoch).toBe(2);
  complete('n1', 'n2', 'n3', 'n4');
  await tick();
  expect(placement()).toMatchObject({ epoch: 2, serving: { nodes: ['n1', 'n2', 'n3', 'n4'] } });
  await tick();
  expect(placement()?.epoch).toBe(3);
});

/** Every tenth slot has a segment of so many bytes, all with two copies; none, or a small one, is in the others. */
function unevenSums(bytes: number): SlotSums {
  const slots = Array.from({ length: SLOT_COUNT / 10 }, (_, index) => index * 10);
  return new SlotSums(
    slots.map((slot) => ({ slot, tier: 'hot', copies: 2, segments: 1, bytes: bytes * (1 + (slot % 100)) })),
  );
}

test('it is bytes that are balanced, once they are known, and looked at again after a minute', async () => {
  const { cluster, placement, tick, stored } = await placing('n1', 'n2', 'n3', 'n4');
  await tick();
  const alike = placement()?.target;
  stored.sums = unevenSums(1e9);
  await cluster.pass(59_000, ['n1', 'n2', 'n3', 'n4']);
  await tick();
  expect(placement()?.target).toBe(alike);
  await cluster.pass(1_000, ['n1', 'n2', 'n3', 'n4']);
  await tick();
  const loads = loadsOf(placement()?.target ?? NOBODY, stored.sums.bytesByRank(2)).map(({ bytes }) => bytes);
  const mean = loads.reduce((sum, bytes) => sum + bytes, 0) / loads.length;
  for (const bytes of loads) expect(Math.abs(bytes / mean - 1)).toBeLessThanOrEqual(0.05);
  const { epoch } = placement() ?? {};
  await cluster.pass(60_000, ['n1', 'n2', 'n3', 'n4']);
  await tick();
  expect(placement()?.epoch).toBe(epoch);
});

test('a few small segments move nothing: places count then', async () => {
  const { cluster, placement, tick, stored } = await placing('n1', 'n2', 'n3');
  await tick();
  stored.sums = unevenSums(100);
  await cluster.pass(60_000, ['n1', 'n2', 'n3']);
  await tick();
  expect(placement()?.epoch).toBe(1);
});

test('a leader that does not know yet what is stored leaves everything where it is, until a node comes or goes', async () => {
  const first = await placing('n1', 'n2', 'n3', 'n4');
  first.stored.sums = unevenSums(1e9);
  await first.tick();
  const second = await placing();
  second.stored.sums = undefined;
  await second.cluster.put(keys.placement, (await first.cluster.store.get(keys.placement))?.value);
  for (const node of ['n1', 'n2', 'n3', 'n4']) await second.cluster.node(node);
  await second.tick();
  expect(second.placement()?.target).toEqual(first.placement()?.target);
  await second.cluster.node('n5');
  await second.tick();
  expect(second.placement()?.target.nodes).toHaveLength(5);
});
