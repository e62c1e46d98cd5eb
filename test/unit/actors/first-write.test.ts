import { expect, test } from 'vitest';
import { AppliedLeases } from '../../../src/actors/applied-leases.ts';
import { QueryRouter } from '../../../src/actors/query-router.ts';
import { LeaseNews } from '../../../src/actors/writer/lease-news.ts';
import { ReadThrough } from '../../../src/actors/read-through.ts';
import { silentLog } from '../../../src/log.ts';
import { type LocalCopy } from '../../../src/messages/local-files.ts';
import { type ReadAnswer } from '../../../src/messages/reading.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeEngine } from '../../support/fake-engine.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { id, journaledCluster } from './journaled-fixture.ts';

/** n1 writes; n2 has a copy of what was published, and a view of the leases of its own, which follows the store when a test says so. */
async function scene() {
  const { cluster, disk, cold, process } = journaledCluster();
  for (const node of ['n1', 'n2']) await cluster.node(node);
  const reader = new FakeCluster();
  for (const node of ['n1', 'n2']) await reader.node(node);
  const applied = new AppliedLeases({ clock: cluster.clock, view: reader.view });
  const follow = async (): Promise<void> => {
    const lease = await cluster.leaseOf(id);
    const { revision = 0 } = (await cluster.store.get(`lease.${id}`)) ?? {};
    reader.view.receive({
      kind: 'metadata',
      event: { kind: 'put', key: `lease.${id}`, value: Buffer.from(JSON.stringify(lease)), revision },
    });
    applied.heard();
    await cluster.settle();
  };
  const nodes = new FakeNodes();
  nodes.onApplied = (_, leases) => applied.reached(leases);
  const news = new LeaseNews({ clock: cluster.clock, view: cluster.view, nodes, self: { node: 'n1' } });
  const writer = process('n1', 'n1-1', { news });
  const copies = new Map<string, LocalCopy>();
  const engine = new FakeEngine(disk, cluster.clock);
  const peers = new FakeNodes();
  const { clock, store } = cluster;
  const paths = dataPaths('/n2');
  const router = new QueryRouter({
    ...{ clock, view: reader.view, store, engine, cold, peers, log: silentLog, node: 'n2' },
    fetched: new ReadThrough({ cold, disk, engine, paths, clock, limitBytes: 1_000, freshMs: 5_000 }),
    hot: { hotFile: () => undefined, underWay: () => undefined },
    copies: { copy: (segment) => copies.get(segment) },
    places: () => ({ serving: [], target: [] }),
    random: () => 0,
    emit: () => undefined,
    wanted: () => undefined,
    isFresh: () => true,
    isConnected: () => true,
    deadlineMs: 60_000,
    deadlineLimitMs: 90_000,
  });
  const read = (): Promise<ReadAnswer> => {
    const request = {
      segment: id,
      sql: 'q',
      format: 'rows',
      bigints: 'digits',
      consistency: 'strong',
      hops: 0,
    } as const;
    return router.read(request, new AbortController().signal);
  };
  /** Published once, released, and copied to n2. */
  const publish = async (): Promise<void> => {
    await writer.open();
    await writer.write('old');
    const { published } = await writer.holder('close');
    await follow();
    disk.files.set(paths.copy(id), 'old');
    copies.set(id, { file: paths.copy(id), version: published?.version ?? 0, sizeBytes: 3 });
  };
  const provision = async (): Promise<void> => {
    const released = await cluster.leaseOf(id);
    await writer.open({ ...released, state: 'held', epoch: (released?.epoch ?? 0) + 1 }, true);
  };
  return { cluster, writer, follow, publish, provision, read };
}

test('the first write under a new lease is not acknowledged before a reader that has a copy knows of the lease', async () => {
  const { cluster, writer, follow, publish, provision, read } = await scene();
  await publish();
  expect(await read()).toMatchObject({ node: 'n2' });
  await provision();
  let isAcknowledged = false;
  const writing = writer.write('new').then(() => (isAcknowledged = true));
  await cluster.pass(3_000, ['n1', 'n2']);
  // The reader is behind, so its copy still answers: nothing newer may have been acknowledged.
  expect(await read()).toMatchObject({ node: 'n2' });
  expect(isAcknowledged).toBe(false);
  await follow();
  await writing;
  expect(await read()).toMatchObject({ node: 'n1' });
});

test('a reader that lives and never hears of it holds the first write up for as long as it may believe its view, not longer', async () => {
  const { cluster, writer, publish, provision } = await scene();
  await publish();
  await provision();
  let isAcknowledged = false;
  const writing = writer.write('new').then(() => (isAcknowledged = true));
  await cluster.pass(11_000, ['n1', 'n2']);
  expect(isAcknowledged).toBe(false);
  await cluster.pass(2_000, ['n1', 'n2']);
  await writing;
});

test('once they know, writes wait for nobody; and a segment that was never published waits for nobody at all', async () => {
  const { writer, follow, publish, provision } = await scene();
  await publish();
  await provision();
  await follow();
  await writer.write('a');
  await writer.write('b');
  const fresh = await scene();
  await fresh.writer.open();
  await fresh.writer.write('a');
});
