import { expect, test } from 'vitest';
import { HotKeeper } from '../../../src/actors/leader/hot-keeper.ts';
import { treatmentOf } from '../../../src/messages/copy-places.ts';
import { keys } from '../../../src/messages/keys.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { recordingLog } from '../../support/recording-log.ts';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];

/** A leader of five nodes with two copies of each segment, where 100 reads in a second are too much for a copy. */
async function scene(changes: { readonly hotReads?: number; readonly tier?: 'hot' | 'cold' } = {}) {
  const { hotReads = 100, tier = 'hot' } = changes;
  const cluster = new FakeCluster();
  for (const node of NODES) await cluster.node(node);
  const { clock, store, view } = cluster;
  const leadership: { term: number | undefined; renewedMs: number; revision: number } = {
    term: 3,
    renewedMs: 0,
    revision: 0,
  };
  const { log, lines } = recordingLog();
  const bySettings = () => ({ copies: 2, tier });
  const keeper = new HotKeeper({
    ...{ clock, store, view, leadership, log, bySettings },
    rule: (id) => treatmentOf(bySettings(), view.rule(id)?.document),
    settings: { hotReads, hotCopies: 4, hotForMs: 300_000 },
  });
  /** So many reads of `s` in a second over all nodes, for so long. */
  const reads = async (perSecond: number, seconds: number, segment = 's'): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      await clock.advance(1_000);
      for (const node of NODES) cluster.beat(node, { read: [{ segment, perSecond: perSecond / NODES.length }] });
      await keeper.receive();
      await cluster.settle();
    }
  };
  return { cluster, leadership, lines, reads, hot: () => view.rule('s')?.document.hot?.copies };
}

test('a segment that is read very much for a while gets more copies, as many as that takes and no more than are allowed', async () => {
  const { reads, hot } = await scene();
  await reads(290, 14);
  expect(hot()).toBeUndefined();
  await reads(290, 5);
  expect(hot()).toBe(3);
  await reads(10_000, 30);
  expect(hot()).toBe(3);
  await reads(10_000, 60);
  expect(hot()).toBe(4);
  await reads(10_000, 200);
  expect(hot()).toBe(4);
});

test('a moment of many reads, and a rate that its copies bear, change nothing', async () => {
  const { cluster, reads } = await scene();
  for (let again = 0; again < 5; again += 1) {
    await reads(1_000, 10);
    await reads(150, 10);
  }
  expect(Array.from(cluster.view.rules())).toEqual([]);
});

test('copies that are not needed any more go by halves, after a quiet time each, and nothing is left of it', async () => {
  const { reads, hot } = await scene();
  await reads(400, 20);
  expect(hot()).toBe(4);
  await reads(60, 290);
  expect(hot()).toBe(4);
  await reads(120, 10);
  await reads(60, 290);
  expect(hot()).toBe(4);
  await reads(60, 20);
  expect(hot()).toBeUndefined();
});

test('a rate between too much and too little keeps what there is: nothing is written', async () => {
  const { cluster, reads, hot } = await scene();
  await reads(290, 20);
  const { revision } = cluster.view;
  await reads(150, 1_000);
  expect([hot(), cluster.view.revision]).toEqual([3, revision]);
});

test('what an operator asked for stays below and beside it', async () => {
  const { cluster, reads } = await scene();
  await cluster.put(keys.rule('s'), { segment: 's', copies: 3, sinceMs: 5, extra: [{ node: 'n5', serving: true }] });
  await reads(400, 20);
  const raised = { copies: 3, sinceMs: 5, hot: { copies: 4 }, extra: [{ node: 'n5', serving: true }], term: 3 };
  expect(cluster.view.rule('s')?.document).toMatchObject(raised);
  await reads(0, 400);
  expect(cluster.view.rule('s')?.document).toMatchObject({ ...raised, hot: null });
});

test('a segment that is written, or cold, gets none, and nobody does who does not lead, nor with the setting at 0', async () => {
  const written = await scene();
  await written.cluster.lease('s');
  await written.reads(1_000, 40);
  const cold = await scene({ tier: 'cold' });
  await cold.reads(1_000, 40);
  const off = await scene({ hotReads: 0 });
  await off.reads(1_000, 40);
  const deposed = await scene();
  deposed.leadership.term = undefined;
  await deposed.reads(1_000, 40);
  for (const { hot } of [written, cold, off, deposed]) expect(hot()).toBeUndefined();
});

test('a store that is away is asked again', async () => {
  const { cluster, reads, hot } = await scene();
  await reads(290, 14);
  cluster.store.setReachable(false);
  await reads(290, 10);
  cluster.store.setReachable(true);
  await reads(290, 2);
  expect(hot()).toBe(3);
});
