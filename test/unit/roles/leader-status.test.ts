import { expect, test } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { SlotSums } from '../../../src/model/slot-sums.ts';
import { describeStatus } from '../../../src/roles/leader-status.ts';
import { evenSums, leading } from './leader-fixture.ts';

test('a cluster at rest: nothing is missing, nothing moves', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2']);
  const target = placed('n1', 'n2');
  await place(target, target);
  await cluster.put(keys.leader, { node: 'n1', session: 's', term: 4, url: '', held: true, beat: 0 });
  const status = describeStatus(context, evenSums(2, 1_000));
  expect(status).toMatchObject({
    leader: { node: 'n1', term: 4 },
    segments: { hot: 32_768, cold: 0, writable: 0, hotBytes: 32_768_000, coldBytes: 0 },
    placement: { slotsUnderReplicated: 0, moves: 0, underReplicated: 0, leftMs: null, overQuota: [] },
  });
  expect(status.nodes.map(({ node, drain }) => [node, drain])).toEqual([
    ['n1', null],
    ['n2', null],
  ]);
});

test('slots of a lost node are under-replicated, where something is stored', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2', 'n3']);
  const target = placed('n1', 'n2');
  await place(target, target);
  const one = new SlotSums([
    { slot: 3, tier: 'hot', copies: 2, segments: 5, bytes: 50 },
    { slot: 4, tier: 'cold', copies: 2, segments: 5, bytes: 50 },
  ]);
  await cluster.pass(10_000, ['n1', 'n3']);
  expect(describeStatus(context, one).placement.slotsUnderReplicated).toBe(1);
  await cluster.pass(10_000, ['n3']);
  expect(describeStatus(context, evenSums(1, 1, 1)).placement.slotsUnderReplicated).toBe(16_384);
});

test('moves have what is left to fetch, and the time of the slowest node once it has fetched something', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2', 'n3']);
  await place(placed('n1', 'n2', 'n3'), placed('n1', 'n2'));
  cluster.beat('n3', { pending: 100, pendingBytes: 5e6, fetched: { copiesPerSecond: 10, bytesPerSecond: 1e6 } });
  const { placement } = describeStatus(context, evenSums(1, 1));
  expect(placement).toMatchObject({ underReplicated: 100, leftMs: 10_000 });
  expect(placement.moves).toBeGreaterThan(5_000);
  cluster.beat('n2', { pending: 1, pendingBytes: 1 });
  expect(describeStatus(context, evenSums(1, 1)).placement.leftMs).toBeNull();
});

test('a drain is under way until nothing is left, and waits where copies would be lost', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2', 'n3']);
  const both = placed('n1', 'n2');
  await place(both, placed('n1', 'n2', 'n3'));
  await cluster.put(keys.drain('n3'), { node: 'n3', sinceMs: 5 });
  const drainOf = (name: string): unknown =>
    describeStatus(context, evenSums(1, 1)).nodes.find(({ node }) => node === name)?.drain;
  cluster.beat('n3', { copies: 9 });
  expect(drainOf('n3')).toEqual({ sinceMs: 5, state: 'draining' });
  await place(both, both);
  expect(drainOf('n3')).toMatchObject({ state: 'draining' });
  cluster.beat('n3', { copies: 0 });
  await cluster.lease('s', { node: 'n3' });
  expect(drainOf('n3')).toMatchObject({ state: 'draining' });
  await cluster.lease('s', { node: 'n3', state: 'released' });
  expect(drainOf('n3')).toMatchObject({ state: 'drained' });
  await cluster.put(keys.drain('n2'), { node: 'n2', sinceMs: 6 });
  expect([drainOf('n2'), drainOf('n3')]).toMatchObject([{ state: 'waiting' }, { state: 'drained' }]);
});

test('what is planned beyond a quota is named', async () => {
  const { context, place, placed } = await leading(['n1', 'n2']);
  const target = placed('n1', 'n2');
  await place(target, target);
  const { overQuota } = describeStatus(context, evenSums(1, 1e5)).placement;
  expect(overQuota).toEqual([
    { node: 'n1', plannedBytes: 16_384e5, quotaBytes: 1e9 },
    { node: 'n2', plannedBytes: 16_384e5, quotaBytes: 1e9 },
  ]);
});

test('a node that is emptied in steps is not over its quota for it', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2', 'n3']);
  await place(placed('n1', 'n2', 'n3'), placed('n1', 'n2', 'n3'));
  await cluster.put(keys.drain('n3'), { node: 'n3', sinceMs: 5 });
  expect(describeStatus(context, evenSums(1, 10)).placement.overQuota).toEqual([]);
});

test('what a node holds by rules of single segments counts against its quota, and too few nodes for a rule are said', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2']);
  const target = placed('n1', 'n2');
  await place(target, target);
  await cluster.put(keys.rule('s'), { segment: 's', sinceMs: 1, copies: 3 });
  await cluster.put(keys.rule('t'), { segment: 't', sinceMs: 1, tier: 'cold' });
  await cluster.put(keys.rule('u'), { segment: 'u', sinceMs: 1, hot: { copies: 2, sinceMs: 1 } });
  const status = describeStatus(context, evenSums(1, 10), { extra: new Map([['n2', 2e9]]) });
  expect(status.rules).toEqual({ segments: 2, hot: 1, short: [{ segment: 's', copies: 3, placed: 2 }] });
  expect(status.placement.overQuota.map(({ node }) => node)).toEqual(['n2']);
});

test('copies that cannot be had are missing as well as those that are still to come', async () => {
  const { context, place, placed, cluster } = await leading(['n1', 'n2']);
  await place(placed('n1', 'n2'), placed('n1', 'n2'));
  const unfetchable = { copies: 7, segment: 's', code: 'COLD_MISSING' };
  cluster.beat('n2', { pending: 3, unfetchable });
  const { placement, nodes } = describeStatus(context, evenSums(1, 1));
  expect(placement.underReplicated).toBe(10);
  expect(nodes.map((node) => node.unfetchable)).toEqual([null, unfetchable]);
});
