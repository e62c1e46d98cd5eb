import { expect, test } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { answerDrain } from '../../../src/roles/leader-drains.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

async function scene() {
  const cluster = new FakeCluster();
  await cluster.node('n1');
  const context = { view: cluster.view, store: cluster.store, clock: cluster.clock, log: silentLog };
  const ask = async (op: 'drain' | 'undrain', node = 'n1'): ReturnType<typeof answerDrain> => {
    const answer = await answerDrain(context, { op, node });
    await cluster.settle();
    return answer;
  };
  return { cluster, ask };
}

test('a drain is kept in the store until it is taken back, and may come again', async () => {
  const { cluster, ask } = await scene();
  expect(await ask('undrain')).toEqual({ node: 'n1', sinceMs: null, changed: false });
  const { sinceMs, changed } = await ask('drain');
  expect(changed).toBe(true);
  expect(cluster.view.drainOf('n1')).toEqual({ node: 'n1', sinceMs });
  expect(await ask('drain')).toEqual({ node: 'n1', sinceMs, changed: false });
  expect(await ask('undrain')).toEqual({ node: 'n1', sinceMs: null, changed: true });
  expect(cluster.view.drainOf('n1')).toBeUndefined();
  expect((await ask('drain')).changed).toBe(true);
});

test('a node that nobody knows cannot be drained, nor be taken back', async () => {
  const { ask } = await scene();
  for (const op of ['drain', 'undrain'] as const)
    await expect(ask(op, 'n9')).rejects.toMatchObject({ code: 'NODE_UNKNOWN' });
});
