import { expect, test } from 'vitest';
import { AppliedLeases } from '../../../src/actors/applied-leases.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';

test('it says so when the view has these leases, or later ones', async () => {
  const cluster = new FakeCluster();
  const applied = new AppliedLeases(cluster);
  const first = await cluster.lease('a');
  await applied.reached([{ segment: 'a', revision: first }]);
  let isDone = false;
  const both = applied
    .reached([
      { segment: 'a', revision: first + 1 },
      { segment: 'b', revision: first + 2 },
    ])
    .then(() => (isDone = true));
  await cluster.lease('a', { epoch: 2 });
  applied.heard();
  await cluster.settle();
  expect(isDone).toBe(false);
  await cluster.lease('b');
  applied.heard();
  await both;
});

test('what another document has of the revisions does not count for a lease', async () => {
  const cluster = new FakeCluster();
  const applied = new AppliedLeases(cluster);
  const revision = await cluster.lease('a');
  const waiting = expect(applied.reached([{ segment: 'b', revision }])).rejects.toMatchObject({ code: 'BUS_TIMEOUT' });
  applied.heard();
  await cluster.clock.advance(1_000);
  await waiting;
});
