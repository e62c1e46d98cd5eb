import { expect, test } from 'vitest';
import { keys } from '../../../src/messages/keys.ts';
import { PUBLISHED, registry } from './registrar-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('promote asks the holder and tells the catalogue what was published', async () => {
  const { cluster, peers, told, promote } = await registry('n1');
  await cluster.lease('s', { epoch: 6 });
  const asked: unknown[] = [];
  peers.onHolder = (_node, request) => {
    asked.push(request);
    return Promise.resolve({ published: PUBLISHED });
  };
  expect(await promote('s')).toEqual({ segment: 's', version: 70, sizeBytes: 5, sha256: 'ab', path: '/cold/s.sqlite' });
  expect(asked).toEqual([{ segment: 's', epoch: 6, discard: false }]);
  expect(told).toEqual(['published s 70']);
});

test('release closes at the holder and tells the catalogue what was published', async () => {
  const { cluster, peers, told, release } = await registry('n1');
  await cluster.lease('s');
  peers.onHolder = () => Promise.resolve({ published: PUBLISHED });
  expect(await release('s')).toEqual({ segment: 's', version: 70 });
  expect(peers.calls).toEqual(['close n1']);
  expect(told).toEqual(['published s 70']);
});

test('what no node holds can be neither promoted nor released', async () => {
  const { cluster, promote, release } = await registry('n1');
  await cluster.lease('given-up', { state: 'released', version: 70 });
  await expect(promote('given-up')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(release('given-up')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(promote('never-seen')).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  await expect(release('never-seen')).rejects.toEqual(code('SEGMENT_UNKNOWN'));
});

test('a shred takes a segment out of cold storage and says so in its lease and to the catalogue', async () => {
  const { cluster, cold, told, shred } = await registry('n1');
  cold.put('s', 'rows');
  await shred('s');
  expect(cold.content('s')).toBeUndefined();
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'shredded', node: '', epoch: 1 });
  expect(told).toEqual(['shredded s']);
  await expect(shred('s')).rejects.toEqual(code('SEGMENT_UNKNOWN'));
});

test('a shred of what does not exist is told so and writes nothing', async () => {
  const { cluster, shred } = await registry('n1');
  await expect(shred('s')).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  expect(await cluster.leaseOf('s')).toBeUndefined();
});

test('a segment that is open for writing is shredded only by force, by its holder', async () => {
  const { cluster, cold, peers, told, shred } = await registry('n1');
  cold.put('s', 'rows');
  await cluster.lease('s', { epoch: 2 });
  await expect(shred('s')).rejects.toEqual(code('SEGMENT_LEASED'));
  expect(cold.content('s')).toBe('rows');
  await shred('s', true);
  expect(peers.calls).toEqual(['discard n1']);
  expect(cold.content('s')).toBeUndefined();
  expect(told).toEqual(['shredded s']);
});

test('a segment that was shredded starts anew when it is provisioned again, with a higher epoch', async () => {
  const { cluster, cold, peers, provision, shred } = await registry('n1');
  cold.put('s', 'rows');
  await cluster.lease('s', { state: 'released', epoch: 4, version: 70, sha256: 'ab', sizeBytes: 4 });
  await shred('s');
  await cluster.settle();
  expect(await provision('s')).toMatchObject({ created: true });
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'held', epoch: 6, version: null, sha256: null });
  expect(peers.opens).toMatchObject([{ hasBase: false }]);
});

test('what is made anew after a shred has versions above all that were before, also where the clock went back', async () => {
  const { cluster, cold, provision, shred } = await registry('n1');
  cold.put('s', 'rows');
  const version = cluster.clock.now() + 30_000;
  await cluster.lease('s', { state: 'released', epoch: 4, version, sha256: 'ab', sizeBytes: 4 });
  await shred('s');
  await cluster.settle();
  await provision('s');
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'held', version: null, formerVersion: version });
});

test('a sweep gives back the leases of lost nodes, but only those without unpublished writes', async () => {
  const { cluster, sweep } = await registry('n1', 'n2');
  await cluster.lease('clean', { version: 70 });
  await cluster.lease('dirty', { version: 70, unpromoted: true });
  await cluster.lease('empty');
  await cluster.lease('alive', { node: 'n2', session: 'n2-1', version: 70 });
  await cluster.pass(7_000, ['n2']);
  await sweep();
  expect(await cluster.leaseOf('clean')).toMatchObject({ state: 'held' });
  await cluster.pass(4_000, ['n2']);
  await sweep();
  const states = ['clean', 'dirty', 'empty', 'alive'].map(async (id) => (await cluster.leaseOf(id))?.state);
  expect(await Promise.all(states)).toEqual(['released', 'held', 'held', 'held']);
});

test('a sweep by an old view gives nothing back that was written to since', async () => {
  const { cluster, sweep } = await registry('n1');
  await cluster.lease('s', { version: 70 });
  await cluster.pass(11_000);
  cluster.blind();
  await cluster.lease('s', { version: 70, unpromoted: true });
  await sweep();
  expect(await cluster.leaseOf('s')).toMatchObject({ state: 'held', unpromoted: true });
});

test('an answer waits for the catalogue, and the store that does not answer is an error, not a lease', async () => {
  const { cluster, provision } = await registry('n1');
  cluster.store.setReachable(false);
  await expect(provision('s')).rejects.toEqual(code('METADATA_UNREACHABLE'));
  cluster.store.setReachable(true);
  expect(await cluster.store.get(keys.lease('s'))).toBeUndefined();
});
