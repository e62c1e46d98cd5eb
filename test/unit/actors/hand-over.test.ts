import { expect, test, vi } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type NodeCalls, type PeerCalls } from '../../../src/messages/node-calls.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { code, id, journaledCluster } from './journaled-fixture.ts';

/** n1 holds the segment; what it asks of n2 goes there. */
async function scene() {
  const at = journaledCluster();
  const n2 = at.process('n2');
  const nodes: Pick<NodeCalls, 'open'> = {
    open: (node, { lease, revision, hasBase }) => {
      expect(node).toBe('n2');
      return n2.openAs(lease, revision, hasBase);
    },
  };
  const peers: PeerCalls = Object.assign(new FakeNodes(), {
    write: (_: string, { request, requestId }: Parameters<PeerCalls['write']>[1]) =>
      n2.write(request.kind === 'script' ? request.sql : '', requestId),
  });
  const n1 = at.process('n1', 'n1-1', { nodes, peers });
  await at.cluster.node('n1');
  await at.cluster.node('n2');
  await n1.open({}, false, 'create');
  return { ...at, n1, n2 };
}

test('a segment is given to another node with all that was acknowledged and nothing published; nothing of it stays here', async () => {
  const { n1, n2, cluster, cold, disk, kinds } = await scene();
  await n1.write('a');
  await n1.handOver('n2');
  expect(n2.content()).toBe('create\na\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n2', session: 'n2-1', epoch: 2, unpromoted: true });
  await cluster.settle();
  expect([...disk.files.keys()].filter((file) => file.startsWith('/n1/'))).toEqual([]);
  expect(await cold.stat(id)).toBeUndefined();
  await n2.write('b');
  expect(kinds()).toEqual(['claim', 'data', 'claim', 'data']);
});

test('a write that comes while its segment is given away waits, and is applied once by the new holder', async () => {
  const { n1, n2 } = await scene();
  await n1.write('a');
  const opening = n2.engine.gate.holdNext('openWriter');
  const moving = n1.handOver('n2');
  await opening.reached;
  const waiting = n1.write('b', 'request-b', false);
  const refused = n1.write('c');
  opening.open();
  await moving;
  expect(await waiting).toMatchObject({ node: 'n2' });
  await expect(refused).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(n2.content()).toBe('create\na\nb\n');
});

test('what is under way when the segment is given away is acknowledged first, and nobody reads here from then on', async () => {
  const { n1, n2, cluster } = await scene();
  const commit = n1.engine.gate.holdNext('commit');
  const writing = n1.write('a');
  await commit.reached;
  const moving = n1.handOver('n2');
  await cluster.settle();
  expect(n1.host.hotFile(id)).toBeUndefined();
  expect(n1.host.underWay(id)).toBeDefined();
  commit.open();
  expect(await writing).toMatchObject({ node: 'n1' });
  await moving;
  expect(n2.content()).toBe('create\na\n');
  expect(n1.host.underWay(id)).toBeUndefined();
});

test('a write at the new holder waits until the segment is open there', async () => {
  const { n1, n2 } = await scene();
  const opening = n2.engine.gate.holdNext('openWriter');
  const moving = n1.handOver('n2');
  await opening.reached;
  const waiting = n2.write('b');
  opening.open();
  await moving;
  expect(await waiting).toMatchObject({ node: 'n2' });
});

test('a lease that cannot be written over leaves the segment here, open again, with all that it had', async () => {
  const { n1, n2, cluster } = await scene();
  await n1.write('a');
  vi.spyOn(cluster.store, 'update').mockRejectedValueOnce(new TroughError('METADATA_UNREACHABLE', 'away'));
  await expect(n1.handOver('n2')).rejects.toEqual(code('METADATA_UNREACHABLE'));
  await n1.tick();
  await n1.write('b');
  expect(n1.content()).toBe('create\na\nb\n');
  expect(n2.content()).toBe('');
});

test('a node that is being stopped gives away what has a journal, and opens nothing more', async () => {
  const { n1, n2, cluster } = await scene();
  await n1.write('a');
  await n1.leave();
  expect(n1.host.isLeaving).toBe(true);
  expect(n2.content()).toBe('create\na\n');
  await expect(n1.open({ ...(await cluster.leaseOf(id)), node: 'n1', session: 'n1-1', epoch: 9 })).rejects.toEqual(
    code('NODE_UNAVAILABLE'),
  );
});

test('without another writer a node that is being stopped keeps its segments, and takes writes to the end', async () => {
  const { n1, cluster } = await scene();
  await cluster.node('n2', { state: 'stopped' });
  await n1.leave();
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n1', epoch: 1 });
  await n1.write('a');
  expect(n1.content()).toBe('create\na\n');
});
