import { expect, test } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { movedBetween, type Placement } from '../../../src/model/placement.ts';
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
  const { cluster, placement, tick, complete, moves } = await placing('n1', 'n2', 'n3');
  await tick();
  complete('n1', 'n2', 'n3');
  await tick();
  moves.perNode = 3_000;
  await cluster.node('n4');
  await tick();
  const first = placement();
  expect(movedBetween(first?.serving ?? NOBODY, first?.target ?? NOBODY)).toBe(3_000);
  await tick();
  expect(placement()?.epoch).toBe(2);
  complete('n1', 'n2', 'n3', 'n4');
  await tick();
  expect(placement()).toMatchObject({ epoch: 2, serving: { nodes: ['n1', 'n2', 'n3', 'n4'] } });
  await tick();
  expect(placement()?.epoch).toBe(3);
});
