import { expect, test } from 'vitest';
import { LeaseNews } from '../../../src/actors/writer/lease-news.ts';
import { type LeaseRevision } from '../../../src/messages/node-messages.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';

/** Of node n1. */
async function scene() {
  const cluster = new FakeCluster();
  const nodes = new FakeNodes();
  for (const node of ['n1', 'n2', 'n3']) await cluster.node(node);
  const news = new LeaseNews({ clock: cluster.clock, view: cluster.view, nodes, self: { node: 'n1' } });
  const told: string[] = [];
  const tell = (segment: string, revision = 7): Promise<void> =>
    news.tell({ segment, revision }).then(() => void told.push(segment));
  return { cluster, nodes, told, tell };
}

test('every other reader is asked, and none but readers', async () => {
  const { cluster, nodes, tell } = await scene();
  await cluster.node('n4', { roles: ['writer', 'sync-local'] });
  await cluster.node('n5', { state: 'stopped' });
  const asked: [string, readonly LeaseRevision[]][] = [];
  nodes.onApplied = (node, leases) => Promise.resolve(void asked.push([node, leases]));
  await tell('s');
  expect(asked).toEqual([
    ['n2', [{ segment: 's', revision: 7 }]],
    ['n3', [{ segment: 's', revision: 7 }]],
  ]);
});

test('one that does not have it yet is waited for, and asked again', async () => {
  const { cluster, nodes, told, tell } = await scene();
  let has = false;
  nodes.onApplied = (node) => (node === 'n3' && !has ? Promise.reject(new Error('not yet')) : Promise.resolve());
  const telling = tell('s');
  await cluster.pass(3_000, ['n2', 'n3']);
  expect(told).toEqual([]);
  has = true;
  await cluster.pass(500, ['n2', 'n3']);
  await telling;
});

test('one that is silent for so long that no roll confirms it is not waited for', async () => {
  const { cluster, nodes, told, tell } = await scene();
  nodes.down.add('n3');
  const telling = tell('s');
  await cluster.pass(8_500, ['n2']);
  expect(told).toEqual([]);
  await cluster.pass(1_000, ['n2']);
  await telling;
});

test('one that beats and does not answer is waited for until it cannot take what it has for current any more', async () => {
  const { cluster, nodes, told, tell } = await scene();
  nodes.down.add('n3');
  const telling = tell('s');
  await cluster.pass(11_500, ['n2', 'n3']);
  expect(told).toEqual([]);
  await cluster.pass(1_000, ['n2', 'n3']);
  await telling;
});

test('one question is under way to each node: what comes meanwhile goes together', async () => {
  const { cluster, nodes, tell } = await scene();
  const asked: string[][] = [];
  const answers: (() => void)[] = [];
  nodes.onApplied = (node, leases) => {
    if (node !== 'n2') return Promise.resolve();
    asked.push(leases.map(({ segment }) => segment));
    return new Promise((resolve) => {
      answers.push(resolve);
    });
  };
  const first = tell('a');
  await cluster.settle();
  const rest = Promise.all(['b', 'c', 'd'].map((segment) => tell(segment)));
  await cluster.settle();
  expect(asked).toEqual([['a']]);
  answers.shift()?.();
  await first;
  await cluster.settle();
  expect(asked).toEqual([['a'], ['b', 'c', 'd']]);
  answers.shift()?.();
  await rest;
});
