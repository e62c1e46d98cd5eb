import { expect, test } from 'vitest';
import { RollCall } from '../../../src/actors/leader/roll-call.ts';
import { type Roll } from '../../../src/messages/node-messages.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

function scene() {
  const cluster = new FakeCluster();
  const leadership: { term: number | undefined; renewedMs: number; revision: number } = {
    term: 3,
    renewedMs: 0,
    revision: 7,
  };
  const said: Roll[] = [];
  const roll = new RollCall({ view: cluster.view, leadership, node: 'm1', emit: (item) => said.push(item) });
  return { cluster, leadership, said, roll };
}

test('the roll names the last beat of each node, the term and the revision of the last renewal', async () => {
  const { cluster, said, roll } = scene();
  await cluster.node('n1');
  await cluster.node('n2');
  cluster.beat('n2');
  roll.receive();
  const beats = { n1: { session: 'n1-1', sequence: 1 }, n2: { session: 'n2-1', sequence: 2 } };
  expect(said).toEqual([{ term: 3, node: 'm1', revision: 7, beats }]);
});

test('a suspect node is still named; one that is lost, stopped, or has a new session without a beat is not', async () => {
  const { cluster, said, roll } = scene();
  for (const node of ['lost', 'stopped', 'restarted']) await cluster.node(node);
  await cluster.pass(5_000, ['restarted']);
  await cluster.node('suspect');
  await cluster.pass(7_000, ['restarted']);
  await cluster.node('stopped', { state: 'stopped' });
  await cluster.node('restarted', { session: 'restarted-2' }, { session: 'restarted-1' });
  roll.receive();
  expect(Object.keys(said[0]?.beats ?? {})).toEqual(['suspect']);
});

test('one that does not lead, or whose renewal is 3 s old, confirms nobody', async () => {
  const { cluster, leadership, said, roll } = scene();
  await cluster.node('n1');
  leadership.renewedMs = 3_000;
  roll.receive();
  leadership.renewedMs = 2_999;
  leadership.term = undefined;
  roll.receive();
  expect(said).toEqual([]);
  leadership.term = 3;
  roll.receive();
  expect(said).toHaveLength(1);
});
