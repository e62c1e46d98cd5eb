import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { registry } from './registrar-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a new segment gets a lease, a node that opens it and a place in the catalogue', async () => {
  const { cluster, peers, told, provision } = await registry('n1');
  await cluster.schema({ id: 'warc', sql: 'create table t (x)' });
  expect(await provision('s', 'warc')).toEqual({
    segment: 's',
    node: 'n1',
    writeUrl: 'http://n1:6222/?segment=s',
    sizeBytes: 8,
    schema: 'warc',
    created: true,
  });
  const lease = { state: 'held', node: 'n1', session: 'n1-1', epoch: 1, version: null, unpromoted: false };
  expect(await cluster.leaseOf('s')).toMatchObject({ ...lease, schema: 'warc' });
  expect(peers.opens).toMatchObject([{ lease, schemaSql: 'create table t (x)', hasBase: false }]);
  expect(told).toEqual(['granted s warc']);
});

test('without a schema it is the default one, which nobody has to register', async () => {
  const { peers, provision } = await registry('n1');
  expect(await provision('s')).toMatchObject({ schema: 'default', created: true });
  expect(peers.opens).toMatchObject([{ schemaSql: '' }]);
});

test('provisioning again leads to the same node and the same lease', async () => {
  const { cluster, peers, provision } = await registry('n1', 'n2');
  const { node } = await provision('s');
  await cluster.settle();
  expect(await provision('s', 'warc')).toMatchObject({ node, schema: 'warc', created: false });
  expect(await cluster.leaseOf('s')).toMatchObject({ epoch: 1, schema: 'default' });
  expect(peers.calls).toEqual([`open ${node}`, `open ${node}`]);
});

test('a segment of cold storage is opened from there, with the base that its last lease names', async () => {
  const { cluster, cold, peers, provision } = await registry('n1');
  cold.put('s', 'rows');
  await cluster.lease('s', { state: 'released', epoch: 4, version: 70, sha256: 'ab', sizeBytes: 4, schema: 'warc' });
  expect(await provision('s', 'unheard of')).toMatchObject({ created: false, schema: 'unheard of' });
  expect(peers.opens).toMatchObject([
    { hasBase: true, lease: { epoch: 5, version: 70, sha256: 'ab', schema: 'warc' } },
  ]);
});

test('a segment that was published but is gone from cold storage is not made anew', async () => {
  const { cluster, provision } = await registry('n1');
  await cluster.lease('s', { state: 'released', version: 70 });
  await expect(provision('s')).rejects.toEqual(code('COLD_MISSING'));
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'released', epoch: 1 });
});

test('an unknown schema leaves no lease', async () => {
  const { cluster, peers, provision } = await registry('n1');
  await expect(provision('s', 'nothing')).rejects.toEqual(code('SCHEMA_UNKNOWN'));
  expect(await cluster.leaseOf('s')).toBeUndefined();
  expect(peers.calls).toEqual([]);
});

test('a segment of the cold tier is refused, and so is a name that is no segment id', async () => {
  const { cluster, provision } = await registry('n1');
  await expect(provision('old-1')).rejects.toEqual(code('SEGMENT_COLD_TIER'));
  await expect(provision('../etc')).rejects.toEqual(code('SEGMENT_ID_INVALID'));
  expect(await cluster.leaseOf('old-1')).toBeUndefined();
});

test('the node that is least filled for its quota is chosen, among those that live and write', async () => {
  const { cluster, provision } = await registry();
  await cluster.node('n1', { quotaBytes: 1_000_000_000_000 }, { storedBytes: 500_000_000_000 });
  await cluster.node('n2', { quotaBytes: 10_000_000_000_000 }, { storedBytes: 1_000_000_000_000 });
  await cluster.node('n3', { roles: ['reader'] });
  await cluster.node('n4');
  await cluster.pass(7_000, ['n1', 'n2', 'n3']);
  cluster.beat('n2', { storedBytes: 1_000_000_000_000 });
  cluster.beat('n1', { storedBytes: 500_000_000_000 });
  expect(await provision('s')).toMatchObject({ node: 'n2' });
});

test('a burst spreads out although no beat has told of it yet', async () => {
  const { provision } = await registry('n1', 'n2', 'n3');
  const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => provision(`s${String(index)}`)));
  const counts = ['n1', 'n2', 'n3'].map((name) => answers.filter(({ node }) => node === name).length);
  expect(counts).toEqual([10, 10, 10]);
});

test('without a node that writes nothing is granted', async () => {
  const { cluster, provision } = await registry();
  await expect(provision('s')).rejects.toEqual(code('NODE_UNAVAILABLE'));
  expect(await cluster.leaseOf('s')).toBeUndefined();
});

test('a lease whose node does not open the segment is taken back', async () => {
  const { cluster, peers, provision } = await registry('n1');
  peers.gate.failNext('open', new TroughError('DISK_FULL', 'no room'));
  await expect(provision('s')).rejects.toEqual(code('DISK_FULL'));
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'shredded', epoch: 1 });
  await cluster.settle();
  expect(await provision('s')).toMatchObject({ created: true });
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'held', epoch: 2 });
});

test('a failed open of a published segment leaves it released, as it was', async () => {
  const { cluster, cold, peers, provision } = await registry('n1');
  cold.put('s', 'rows');
  await cluster.lease('s', { state: 'released', version: 70, sha256: 'ab', sizeBytes: 4 });
  peers.gate.failNext('open', new TroughError('DISK_FULL', 'no room'));
  await expect(provision('s')).rejects.toEqual(code('DISK_FULL'));
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'released', version: 70, sha256: 'ab' });
});

test('a failed open of a segment that cold storage had before any lease does not shred it', async () => {
  const { cluster, cold, peers, provision } = await registry('n1');
  cold.put('s', 'rows');
  peers.gate.failNext('open', new TroughError('DISK_FULL', 'no room'));
  await expect(provision('s')).rejects.toEqual(code('DISK_FULL'));
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'released' });
  await cluster.settle();
  await provision('s');
  expect(peers.opens.at(-1)).toMatchObject({ hasBase: true });
});

test('a view that is behind is put right by the store', async () => {
  const { cluster, cold, peers, provision } = await registry('n1', 'n2');
  cold.put('s', 'rows');
  await cluster.lease('s', { state: 'released', version: 70 });
  cluster.blind();
  await cluster.lease('s', { node: 'n2', session: 'n2-1', epoch: 2, version: 70 });
  expect(await provision('s')).toMatchObject({ node: 'n2', created: false });
  expect(peers.calls).toEqual(['open n2']);
});

test('the lease of a lost node moves when every acknowledged write is published', async () => {
  const { cluster, cold, provision } = await registry('n1', 'n2');
  cold.put('s', 'rows');
  await cluster.lease('s', { epoch: 3, version: 70 });
  await cluster.pass(11_000, ['n2']);
  expect(await provision('s')).toMatchObject({ node: 'n2' });
  expect(await cluster.leaseOf('s')).toMatchObject({ node: 'n2', epoch: 4, version: 70 });
});

test('the lease of a lost node stays when it has writes that were not promoted', async () => {
  const { cluster, provision, promote, release } = await registry('n1', 'n2');
  await cluster.lease('s', { unpromoted: true });
  await cluster.pass(11_000, ['n2']);
  await expect(provision('s')).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  await expect(promote('s')).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  await expect(release('s')).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  expect(await cluster.leaseOf('s')).toMatchObject({ node: 'n1', epoch: 1 });
});

test('writes that the view has not heard of keep the lease where it is', async () => {
  const { cluster, cold, provision } = await registry('n1', 'n2');
  cold.put('s', 'rows');
  await cluster.lease('s', { version: 70 });
  await cluster.pass(11_000, ['n2']);
  cluster.blind();
  await cluster.lease('s', { version: 70, unpromoted: true });
  await expect(provision('s')).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  expect(await cluster.leaseOf('s')).toMatchObject({ node: 'n1', unpromoted: true });
});

test('two provisions of one segment at one moment lead to one lease', async () => {
  const { cluster, provision } = await registry('n1', 'n2');
  const [one, other] = await Promise.all([provision('s'), provision('s')]);
  expect(one.node).toBe(other.node);
  expect(await cluster.leaseOf('s')).toMatchObject({ node: one.node, epoch: 1 });
});

test('two leaders that grant at one moment lead to one lease', async () => {
  const { cluster, peers, registrar, provision } = await registry('n1', 'n2');
  const other = leaseDocument('s', { node: 'n2', session: 'n2-1' });
  const create = cluster.store.create.bind(cluster.store);
  cluster.store.create = async (key, value, signal) => {
    cluster.store.create = create;
    await create(key, Buffer.from(JSON.stringify(other)));
    return create(key, value, signal);
  };
  expect(await provision('s')).toMatchObject({ node: 'n2', created: false });
  expect(peers.calls).toEqual(['open n2']);
  await registrar.stop();
});
