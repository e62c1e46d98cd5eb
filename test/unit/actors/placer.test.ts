import { expect, test } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { placing, REBUILD_AFTER_MS } from './placer-fixture.ts';

test('the first placement names the nodes that keep copies, nobody serves before the copies are there, and the nodes hear of it when the view shows it', async () => {
  const { placement, tick, said, cluster } = await placing('n1', 'n2');
  await cluster.node('m1', { roles: ['sync-master'] });
  await tick();
  expect(placement()).toMatchObject({ term: 3, epoch: 1, target: { nodes: ['n1', 'n2'], ranks: 2 } });
  expect(placement()?.serving.nodes).toEqual([]);
  expect(said).toEqual([]);
  await tick();
  await tick();
  expect(said).toEqual(['placed']);
});

test('without nodes, without leading and without a full view nothing is written', async () => {
  const { cluster, leadership, tick, revision } = await placing();
  await tick();
  leadership.term = undefined;
  await cluster.node('n1');
  await tick();
  expect(revision()).toBeUndefined();
});

test('the new nodes serve once each one that lives has said that its copies are complete', async () => {
  const { placement, tick, complete } = await placing('n1', 'n2');
  await tick();
  complete('n1');
  await tick();
  expect(placement()?.serving.nodes).toEqual([]);
  complete('n2');
  await tick();
  expect(placement()).toMatchObject({ epoch: 1, serving: { nodes: ['n1', 'n2'] } });
});

test('while nothing changes nothing is written', async () => {
  const { tick, complete, revision, said } = await placing('n1', 'n2');
  await tick();
  const first = revision();
  await tick();
  expect(revision()).toBe(first);
  complete('n1', 'n2');
  await tick();
  const second = revision();
  await tick();
  await tick();
  expect(revision()).toBe(second);
  expect(said).toEqual(['placed', 'placed']);
});

test('the old holders serve until the copies of a new placement are complete: make before break', async () => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2');
  await tick();
  complete('n1', 'n2');
  await tick();
  await cluster.node('n3');
  await tick();
  expect(placement()).toMatchObject({
    epoch: 2,
    target: { nodes: ['n1', 'n2', 'n3'] },
    serving: { nodes: ['n1', 'n2'] },
  });
  complete('n1', 'n2');
  await tick();
  expect(placement()?.serving.nodes).toEqual(['n1', 'n2']);
  complete('n3');
  await tick();
  expect(placement()?.serving.nodes).toEqual(['n1', 'n2', 'n3']);
});

test('completeness of another term or epoch counts for nothing', async () => {
  const { cluster, placement, tick } = await placing('n1', 'n2');
  await tick();
  for (const node of ['n1', 'n2']) cluster.beat(node, { complete: { term: 2, epoch: 1 } });
  await tick();
  for (const node of ['n1', 'n2']) cluster.beat(node, { complete: { term: 3, epoch: 0 } });
  await tick();
  expect(placement()?.serving.nodes).toEqual([]);
});

test('a node that is away keeps its place until rebuildAfter, and loses it then', async () => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2', 'n3');
  await tick();
  complete('n1', 'n2', 'n3');
  await tick();
  await cluster.pass(REBUILD_AFTER_MS - 500, ['n1', 'n2']);
  await tick();
  expect(placement()).toMatchObject({ epoch: 1, target: { nodes: ['n1', 'n2', 'n3'] } });
  await cluster.pass(500, ['n1', 'n2']);
  await tick();
  expect(placement()).toMatchObject({ epoch: 2, target: { nodes: ['n1', 'n2'] } });
});

test('when most fall silent at once nothing moves', async () => {
  const { cluster, placement, tick } = await placing('n1', 'n2', 'n3');
  await tick();
  await cluster.pass(REBUILD_AFTER_MS * 2, ['n1']);
  await tick();
  expect(placement()).toMatchObject({ epoch: 1, target: { nodes: ['n1', 'n2', 'n3'] } });
});

test('a node that was never heard to live gets no copies', async () => {
  const { cluster, placement, tick } = await placing('n1');
  await cluster.node('n2', { state: 'stopped' });
  await tick();
  expect(placement()?.target.nodes).toEqual(['n1']);
});

test('a node whose document says up but that does not beat is not placed, until it beats', async () => {
  const { cluster, placement, tick } = await placing('n1');
  await cluster.put(keys.node('n2'), { ...cluster.view.node('n1')?.document, node: 'n2', session: 'n2-1' });
  await tick();
  expect(placement()?.target.nodes).toEqual(['n1']);
  cluster.beat('n2');
  await tick();
  expect(placement()?.target.nodes).toEqual(['n1', 'n2']);
});

test('a node that was placed before keeps its place although it has not beaten since it was started again', async () => {
  const { cluster, placement, tick } = await placing('n1', 'n2');
  await tick();
  await cluster.put(keys.node('n2'), { ...cluster.view.node('n2')?.document, session: 'n2-2' });
  await tick();
  expect(placement()).toMatchObject({ epoch: 1, target: { nodes: ['n1', 'n2'] } });
});

test('documents of nodes that were gone long before hold no rebuilding up', async () => {
  const { cluster, placement, tick } = await placing('n1', 'n2', 'n3');
  for (const gone of ['o1', 'o2', 'o3', 'o4']) await cluster.node(gone, { state: 'stopped' });
  await tick();
  await cluster.pass(REBUILD_AFTER_MS, ['n1', 'n2']);
  await tick();
  expect(placement()).toMatchObject({ epoch: 2, target: { nodes: ['n1', 'n2'] } });
});

test.each([
  ['suspect', 7_000],
  ['lost', 20_000],
] as const)('a new node that is %s before its copies are complete does not count as complete', async (state, ms) => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2');
  await tick();
  await cluster.pass(ms, ['n1']);
  complete('n1');
  expect(cluster.view.node('n2')?.state).toBe(state);
  await tick();
  expect(placement()?.serving.nodes).toEqual([]);
});

test('a node that is stopped for a short time, or not heard of since it came back, is waited for', async () => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2');
  await tick();
  await cluster.node('n2', { state: 'stopped' });
  complete('n1');
  await tick();
  expect(placement()?.serving.nodes).toEqual([]);
  await cluster.put(keys.node('n2'), { ...cluster.view.node('n2')?.document, state: 'up', session: 'n2-2' });
  await tick();
  expect(placement()?.serving.nodes).toEqual([]);
  cluster.beat('n2', { session: 'n2-2', complete: { term: 3, epoch: 1 } });
  await tick();
  expect(placement()?.serving.nodes).toEqual(['n1', 'n2']);
});

test.each(['up', 'stopped'] as const)(
  'a node of the target that is away for good (%s) holds nothing up',
  async (state) => {
    const { cluster, placement, tick, complete } = await placing('n1', 'n2', 'n3');
    await tick();
    if (state === 'stopped') for (const gone of ['n2', 'n3']) await cluster.node(gone, { state });
    await cluster.pass(REBUILD_AFTER_MS, ['n1']);
    complete('n1');
    await tick();
    expect(placement()).toMatchObject({ epoch: 1, serving: { nodes: ['n1', 'n2', 'n3'] } });
  },
);

test('a node of the target without a document holds nothing up', async () => {
  const { cluster, placement, tick, complete } = await placing('n1', 'n2');
  await tick();
  await cluster.store.delete(keys.node('n2'), (await cluster.store.get(keys.node('n2')))?.revision ?? 0);
  await cluster.settle();
  await tick();
  complete('n1');
  await tick();
  expect(placement()).toMatchObject({ epoch: 2, serving: { nodes: ['n1'] } });
});

test('a new leader writes its term into the placement, and moves nothing', async () => {
  const { leadership, placement, tick } = await placing('n1', 'n2');
  await tick();
  const before = placement()?.target.table;
  leadership.term = 4;
  await tick();
  expect(placement()).toMatchObject({ term: 4, epoch: 1 });
  expect(placement()?.target.table).toEqual(before);
});

test('a placement of a later term is left alone', async () => {
  const { cluster, leadership, placement, revision, tick } = await placing('n1', 'n2');
  leadership.term = 4;
  await tick();
  const before = revision();
  leadership.term = 3;
  await cluster.node('n3');
  await tick();
  expect(placement()).toMatchObject({ term: 4 });
  expect(revision()).toBe(before);
});

test('a placement that another wrote meanwhile is not written over', async () => {
  const { cluster, tick, said } = await placing('n1', 'n2');
  await tick();
  cluster.blind();
  const theirs = await cluster.store.get(keys.placement);
  const revision = await cluster.store.update(keys.placement, theirs?.value ?? Buffer.from(''), theirs?.revision ?? 0);
  await cluster.node('n3');
  cluster.view.receive({
    kind: 'metadata',
    event: {
      kind: 'put',
      key: keys.node('n3'),
      value: (await cluster.store.get(keys.node('n3')))?.value ?? new Uint8Array(),
      revision: 99,
    },
  });
  cluster.beat('n3');
  await tick();
  expect((await cluster.store.get(keys.placement))?.revision).toBe(revision);
  expect(said).toEqual(['placed']);
});
