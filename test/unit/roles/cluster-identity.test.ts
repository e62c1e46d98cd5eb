import { expect, test } from 'vitest';
import { type ClusterDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { ClusterIdentity } from '../../../src/roles/cluster-identity.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { recordingLog } from '../../support/recording-log.ts';

const paths = dataPaths('/data');

async function settle(cluster: FakeCluster, disk: FakeDisk, session = 's1', node = 'n1'): Promise<ClusterIdentity> {
  await cluster.settle();
  const { store, view, clock } = cluster;
  return ClusterIdentity.settle({ store, view, clock, disk, paths, log: recordingLog().log, self: { node, session } });
}

async function documentOf({ store }: FakeCluster): Promise<ClusterDocument> {
  const entry = await store.get(keys.cluster);
  return JSON.parse(Buffer.from(entry?.value ?? []).toString()) as ClusterDocument;
}

test('the first node of a new store says which cluster it is, and the next ones remember it', async () => {
  const cluster = new FakeCluster();
  const [one, other] = [new FakeDisk(), new FakeDisk()];
  expect((await settle(cluster, one)).isStranger).toBe(false);
  expect((await settle(cluster, other, 's2', 'n2')).isStranger).toBe(false);
  expect(await documentOf(cluster)).toMatchObject({ id: 's1', state: 'ready', former: [] });
  expect([one, other].map(({ files }) => files.get(paths.cluster))).toEqual(['{"id":"s1"}\n', '{"id":"s1"}\n']);
});

test('a store that is empty while a data directory remembers a cluster was lost', async () => {
  const disk = new FakeDisk();
  await settle(new FakeCluster(), disk);
  const empty = new FakeCluster();
  expect((await settle(empty, disk, 's2')).isStranger).toBe(true);
  expect(await documentOf(empty)).toMatchObject({ id: 's2', state: 'lost', former: ['s1'] });
  // Also for a node that has nothing to remember, and again after a restart.
  await settle(empty, new FakeDisk(), 's3', 'n9');
  expect((await settle(empty, disk, 's4')).isStranger).toBe(true);
  expect(await documentOf(empty)).toMatchObject({ id: 's2', state: 'lost', former: ['s1'] });
});

test('a new store that an empty node made first is known to be one that was lost when a node comes that remembers', async () => {
  const disk = new FakeDisk();
  await settle(new FakeCluster(), disk);
  const empty = new FakeCluster();
  await settle(empty, new FakeDisk(), 's2', 'n2');
  expect((await settle(empty, disk, 's3')).isStranger).toBe(true);
  expect(await documentOf(empty)).toMatchObject({ id: 's2', state: 'lost', former: ['s1'] });
});

test('a cluster that is in use is not held up by a directory that was brought from another one', async () => {
  const disk = new FakeDisk();
  await settle(new FakeCluster(), disk);
  const used = new FakeCluster();
  await settle(used, new FakeDisk(), 's2', 'n2');
  await used.lease('abc');
  expect((await settle(used, disk, 's3')).isStranger).toBe(true);
  expect(await documentOf(used)).toMatchObject({ id: 's2', state: 'ready', former: [] });
});

test('a store that has leases and does not say whose it is was not lost', async () => {
  const used = new FakeCluster();
  await used.lease('abc');
  const disk = new FakeDisk();
  disk.files.set(paths.cluster, '{"id":"before"}');
  expect((await settle(used, disk)).isStranger).toBe(false);
  expect(await documentOf(used)).toMatchObject({ id: 'before', state: 'ready' });
});

test('a node belongs again once its data was looked through, and only then', async () => {
  const disk = new FakeDisk();
  await settle(new FakeCluster(), disk);
  const empty = new FakeCluster();
  const identity = await settle(empty, disk, 's2');
  const lost = await documentOf(empty);
  await identity.seen({ ...lost, state: 'ready', rebuiltFrom: ['n2'] });
  expect(identity.isStranger).toBe(true);
  await identity.seen({ ...lost, state: 'ready', rebuiltFrom: ['n1', 'n2'] });
  expect(identity.isStranger).toBe(false);
  expect(disk.files.get(paths.cluster)).toBe('{"id":"s2"}\n');
});

test('a process does not go on with a store that is not the one it began with', async () => {
  const cluster = new FakeCluster();
  const identity = await settle(cluster, new FakeDisk());
  await expect(identity.seen(undefined)).rejects.toMatchObject({ code: 'METADATA_LOST' });
  const other = { ...(await documentOf(cluster)), id: 'other' };
  await expect(identity.seen(other)).rejects.toMatchObject({ code: 'METADATA_LOST' });
});
