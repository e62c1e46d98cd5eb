import { expect, test } from 'vitest';
import { emptiestWriter } from '../../../src/actors/shared/emptiest-writer.ts';
import { keys } from '../../../src/messages/keys.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

async function chosen(cluster: FakeCluster, granting: [string, number][] = []): Promise<string> {
  await cluster.settle();
  return emptiestWriter(cluster.view, new Map(granting)).document.node;
}

test('a node that has not beaten in this session is not chosen, although its document says up', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1', {}, { storedBytes: 900_000_000 });
  await cluster.put(keys.node('n0'), { ...cluster.view.node('n1')?.document, node: 'n0', session: 'n0-1' });
  expect(cluster.view.node('n0')).toMatchObject({ state: 'alive', beat: undefined });
  expect(await chosen(cluster)).toBe('n1');
  cluster.beat('n0');
  expect(await chosen(cluster)).toBe('n0');
});

test('the least filled for its quota is chosen; what is being granted counts', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1', { quotaBytes: 4_000_000_000 }, { storedBytes: 200_000_000 });
  await cluster.node('n2', {}, { storedBytes: 100_000_000 });
  expect(await chosen(cluster)).toBe('n1');
  expect(await chosen(cluster, [['n1', 400]])).toBe('n2');
});

test('without a live writer it says so', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1', { roles: ['sync-local'] });
  await cluster.node('n2', { state: 'stopped' });
  await expect(chosen(cluster)).rejects.toMatchObject({ code: 'NODE_UNAVAILABLE' });
});

test('a node that is being drained gets no lease while another lives', async () => {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  await cluster.put(keys.drain('n1'), { node: 'n1', sinceMs: 1 });
  expect(emptiestWriter(cluster.view, new Map()).document.node).toBe('n1');
  await cluster.node('n2', {}, { storedBytes: 500_000_000 });
  expect(emptiestWriter(cluster.view, new Map()).document.node).toBe('n2');
});

test('a node that is about to stop gets no lease, nor one that is not wanted', async () => {
  const cluster = new FakeCluster();
  for (const node of ['n1', 'n2', 'n3']) await cluster.node(node);
  cluster.beat('n1', { leaving: true });
  expect(await chosen(cluster)).toBe('n2');
  expect(emptiestWriter(cluster.view, new Map(), { not: 'n2' }).document.node).toBe('n3');
  await cluster.put(keys.drain('n3'), { node: 'n3', sinceMs: 1 });
  expect(emptiestWriter(cluster.view, new Map(), { not: 'n2' }).document.node).toBe('n3');
  expect(() => emptiestWriter(cluster.view, new Map(), { not: 'n2', stays: true })).toThrow(/no node/);
});
