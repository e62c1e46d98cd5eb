import { expect, test } from 'vitest';
import { Drainer } from '../../../src/actors/leader/drainer.ts';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { keys } from '../../../src/messages/keys.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

async function scene() {
  const cluster = new FakeCluster();
  const state = { leadingMs: 20_000 as number | undefined, fails: false };
  const released: string[] = [];
  const drainer = new Drainer({
    clock: cluster.clock,
    log: silentLog,
    view: cluster.view,
    leadingMs: () => state.leadingMs,
    vacate: (segment) => {
      released.push(segment);
      return state.fails ? Promise.reject(new TroughError('COLD_FAILED', 'away')) : Promise.resolve();
    },
  });
  for (const node of ['n1', 'n2']) await cluster.node(node);
  await cluster.lease('a', { node: 'n1' });
  await cluster.lease('b', { node: 'n2' });
  await cluster.lease('c', { node: 'n1', state: 'released' });
  const tick = async (): Promise<string[]> => {
    drainer.receive();
    await drainer.stop();
    return released.splice(0);
  };
  const drain = (node: string): Promise<number> => cluster.put(keys.drain(node), { node, sinceMs: 1 });
  return { cluster, state, tick, drain };
}

test('the leases of a drained node are given back, those of others and what it does not hold are not', async () => {
  const { tick, drain } = await scene();
  expect(await tick()).toEqual([]);
  await drain('n1');
  expect(await tick()).toEqual(['a']);
});

test('who does not lead gives nothing back, and a node that does not answer is left alone', async () => {
  const { cluster, state, tick, drain } = await scene();
  await drain('n1');
  state.leadingMs = undefined;
  expect(await tick()).toEqual([]);
  state.leadingMs = 1;
  await cluster.pass(12_000, ['n2']);
  expect(await tick()).toEqual([]);
});

test('a lease that cannot be given back is tried again after half a minute, not before', async () => {
  const { cluster, state, tick, drain } = await scene();
  await drain('n1');
  state.fails = true;
  expect(await tick()).toEqual(['a']);
  await cluster.pass(29_000, ['n1', 'n2']);
  expect(await tick()).toEqual([]);
  await cluster.pass(1_000, ['n1', 'n2']);
  expect(await tick()).toEqual(['a']);
});
