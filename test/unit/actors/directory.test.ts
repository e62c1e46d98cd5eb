import { expect, test } from 'vitest';
import { type NodeDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

function documentOf(node: string, session: string): NodeDocument {
  const roles: NodeDocument['roles'] = ['writer', 'sync-local'];
  return { node, session, zone: 'z', roles, urls: {}, quotaBytes: 1, state: 'up', startedMs: 0 };
}

function states(cluster: FakeCluster): string[] {
  return cluster.news.flatMap((item) => (item.kind === 'node-state' ? [`${item.node} ${item.from} ${item.to}`] : []));
}

test('a node is suspect after 6 s of silence and lost after 10 s, each said once', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.node('n2');
  await cluster.pass(5_500, ['n2']);
  expect(cluster.view.node('n1')?.state).toBe('alive');
  await cluster.pass(500, ['n2']);
  expect(cluster.view.node('n1')?.state).toBe('suspect');
  await cluster.pass(3_500, ['n2']);
  expect(cluster.view.node('n1')?.state).toBe('suspect');
  await cluster.pass(10_000, ['n2']);
  expect(cluster.view.node('n1')?.state).toBe('lost');
  expect(states(cluster)).toEqual(['n1 alive suspect', 'n1 suspect lost']);
});

test('a beat ends the silence', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.pass(7_000);
  cluster.beat('n1');
  expect(cluster.view.node('n1')).toMatchObject({ state: 'alive', silentMs: 0 });
});

test('silence does not count while this process is disconnected', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  for (let passed = 0; passed < 60_000; passed += 500) {
    await cluster.clock.advance(500);
    cluster.view.receive({ kind: 'tick', connected: false });
  }
  await cluster.pass(5_500);
  expect(cluster.view.node('n1')?.state).toBe('alive');
  await cluster.pass(500);
  expect(cluster.view.node('n1')?.state).toBe('suspect');
});

test('a long pause of this process is nobody else’s silence, and not the leader’s', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.put(keys.leader, { node: 'n1', session: 'n1-1', term: 3, url: '', held: true, beat: 0 });
  await cluster.pass(1_000);
  await cluster.clock.advance(3_600_000);
  cluster.view.receive({ kind: 'tick', connected: true });
  expect(cluster.view.node('n1')).toMatchObject({ state: 'alive', silentMs: 1_000 });
  expect(cluster.view.leader()?.unchangedMs).toBe(1_000);
});

test('a beat of a session that is not registered counts for nobody', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.pass(7_000);
  cluster.beat('n1', { session: 'an older one' });
  cluster.beat('stranger');
  expect(cluster.view.node('n1')?.state).toBe('suspect');
  expect(cluster.view.nodes().map(({ document }) => document.node)).toEqual(['n1']);
});

test('a beat that comes before its node’s document is adopted with it', async () => {
  const cluster = new FakeCluster();
  cluster.beat('n1', { session: 'n1-2', load: 0.1 });
  cluster.beat('n1', { session: 'n1-2', load: 0.7 });
  await cluster.pass(1_000);
  await cluster.put(keys.node('n1'), documentOf('n1', 'n1-2'));
  expect(cluster.view.node('n1')).toMatchObject({ state: 'alive', silentMs: 1_000, beat: { load: 0.7 } });
});

test('a new session’s beat that comes before its document does not count for the old one', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.pass(7_000);
  cluster.beat('n1', { session: 'n1-2', load: 0.7 });
  expect(cluster.view.node('n1')).toMatchObject({ state: 'suspect', beat: { session: 'n1-1' } });
  await cluster.put(keys.node('n1'), documentOf('n1', 'n1-2'));
  expect(cluster.view.node('n1')).toMatchObject({ state: 'alive', beat: { session: 'n1-2', load: 0.7 } });
});

test('an early beat is not adopted by another session, nor when it is older than a lost node', async () => {
  const cluster = new FakeCluster();
  cluster.beat('n1', { session: 'n1-2' });
  cluster.beat('n2', { session: 'n2-1' });
  await cluster.put(keys.node('n1'), documentOf('n1', 'n1-1'));
  await cluster.pass(10_000);
  await cluster.put(keys.node('n2'), documentOf('n2', 'n2-1'));
  expect([cluster.view.node('n1')?.beat, cluster.view.node('n2')?.beat]).toEqual([undefined, undefined]);
});

test('of too many early beats the newest are kept', async () => {
  const cluster = new FakeCluster();
  for (let number = 0; number <= 1_000; number += 1) cluster.beat(`n${String(number)}`);
  for (const node of ['n0', 'n1', 'n1000']) await cluster.put(keys.node(node), documentOf(node, `${node}-1`));
  expect(['n0', 'n1', 'n1000'].map((node) => cluster.view.node(node)?.beat?.node)).toEqual([undefined, 'n1', 'n1000']);
});

test('a lost node that comes back with a new session is alive, without the beat of its old one', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.pass(11_000);
  await cluster.put(keys.node('n1'), { ...cluster.view.node('n1')?.document, session: 'n1-2' });
  expect(cluster.view.node('n1')).toMatchObject({ state: 'alive', silentMs: 0, beat: undefined });
  expect(states(cluster).at(-1)).toBe('n1 lost alive');
});

test('a node that said good-bye is stopped at once, and stays so', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.node('n1', { state: 'stopped' });
  expect(cluster.view.node('n1')?.state).toBe('stopped');
  await cluster.pass(20_000);
  expect(states(cluster)).toEqual(['n1 alive stopped']);
});

test('a document that changes within a session keeps what is known of the node', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1', {}, { load: 0.5 });
  await cluster.pass(3_000);
  await cluster.put(keys.node('n1'), { ...cluster.view.node('n1')?.document, zone: 'other' });
  expect(cluster.view.node('n1')).toMatchObject({ silentMs: 3_000, beat: { load: 0.5 }, document: { zone: 'other' } });
});

test('leases are counted per node, by their present holder alone', async () => {
  const cluster = new FakeCluster();
  const counts = (): number[] => ['n1', 'n2'].map((node) => cluster.view.leasesOf(node));
  await cluster.lease('a');
  await cluster.lease('b');
  await cluster.lease('b', { unpromoted: true });
  expect(counts()).toEqual([2, 0]);
  await cluster.lease('a', { node: 'n2', epoch: 2 });
  expect(counts()).toEqual([1, 1]);
  await cluster.lease('a', { node: 'n2', epoch: 2, state: 'released' });
  expect(counts()).toEqual([1, 0]);
  const entry = await cluster.store.get(keys.lease('b'));
  await cluster.store.delete(keys.lease('b'), entry?.revision ?? 0);
  await cluster.settle();
  expect(counts()).toEqual([0, 0]);
  expect(Array.from(cluster.view.leases(), ({ document }) => document.segment)).toEqual(['a']);
});

test('an unreadable document is reported, and the others are folded all the same', async () => {
  const cluster = new FakeCluster();
  await cluster.put(keys.node('broken'), Buffer.from('{'));
  await cluster.put(keys.lease('broken'), { segment: 'broken' });
  await cluster.put('lease.=zz', { segment: 'x' });
  await cluster.lease('good');
  expect(cluster.news.filter(({ kind }) => kind === 'unreadable')).toHaveLength(3);
  expect(cluster.view.lease('good')?.document.segment).toBe('good');
});

test('a key that this version does not know changes nothing but the revision', async () => {
  const cluster = new FakeCluster();
  const revision = await cluster.put('later.abc', { copies: 3 });
  expect(cluster.news.map(({ kind }) => kind)).toEqual(['current']);
  expect(cluster.view.revision).toBe(revision);
});

test('it is current, and says so, when the present documents have all arrived', async () => {
  const cluster = new FakeCluster();
  expect(cluster.view.current).toBe(false);
  await cluster.settle();
  expect(cluster.view.current).toBe(true);
  expect(cluster.news).toEqual([{ kind: 'current' }]);
});

test('it shows what was put and forgets what was deleted', async () => {
  const cluster = new FakeCluster();
  await cluster.schema({ id: 'a b', sql: 'create table t (x)' });
  await cluster.put(keys.placement, Buffer.from('packed'));
  await cluster.put(keys.leader, { node: 'n1', session: 's', term: 1, url: '', held: true, beat: 0 });
  await cluster.node('n1');
  await cluster.put(keys.drain('n1'), { node: 'n1', sinceMs: 5 });
  expect(cluster.view.drainOf('n1')).toEqual({ node: 'n1', sinceMs: 5 });
  expect(cluster.view.schemaIds()).toEqual(['a b']);
  expect(Buffer.from(cluster.view.placement()?.value ?? []).toString()).toBe('packed');
  for (const key of [keys.schema('a b'), keys.drain('n1'), keys.placement, keys.leader, keys.node('n1')]) {
    await cluster.store.delete(key, (await cluster.store.get(key))?.revision ?? 0);
  }
  await cluster.settle();
  expect(cluster.view.drainOf('n1')).toBeUndefined();
  expect(cluster.view.schemaIds()).toEqual([]);
  expect([cluster.view.placement(), cluster.view.leader(), cluster.view.node('n1')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('rules of single segments are in the view, each change is announced, and one that was taken back is gone', async () => {
  const cluster = new FakeCluster();
  await cluster.put(keys.rule('a.b'), { segment: 'a.b', copies: 3, sinceMs: 1 });
  expect(cluster.view.rule('a.b')?.document).toMatchObject({ copies: 3, tier: null, hot: null, extra: [] });
  const revision = await cluster.put(keys.rule('a.b'), { segment: 'a.b', tier: 'cold', sinceMs: 2 });
  expect(Array.from(cluster.view.rules(), ({ document }) => document.tier)).toEqual(['cold']);
  await cluster.store.delete(keys.rule('a.b'), revision);
  await cluster.settle();
  expect(cluster.view.rule('a.b')).toBeUndefined();
  expect(cluster.news.filter(({ kind }) => kind === 'rule')).toEqual(Array(3).fill({ kind: 'rule', segment: 'a.b' }));
});
