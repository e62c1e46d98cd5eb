import { expect, test, vi } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { decodeRecord, encodeRecord } from '../../../src/messages/journal-record.ts';
import { keys } from '../../../src/messages/keys.ts';
import { PUBLISHED, registryWith } from './registrar-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

const key = { stream: '1', name: 's' };
const journaled = { stream: '1', incarnation: 'memory-1', unpromoted: true } as const;

test('a new lease names the stream that its writes go to, and a later one the same', async () => {
  const { cluster, provision } = await registryWith({ journaled: true }, 'n1');
  await provision('s');
  expect(await cluster.leaseOf('s')).toMatchObject({ stream: '1', epoch: 1 });
  await cluster.lease('t', { state: 'released', stream: '9' });
  await provision('t');
  expect(await cluster.leaseOf('t')).toMatchObject({ stream: '9' });
});

test('the leases of a lost node go to another writer with all that they say of cold storage, those with unpublished writes first', async () => {
  const { cluster, peers, sweep } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.lease('published', { ...journaled, unpromoted: false, version: 70, sha256: 'ab', sizeBytes: 5 });
  await cluster.lease('s', { ...journaled, epoch: 3, version: 60 });
  await cluster.lease('alone', { unpromoted: true });
  await cluster.pass(11_000, ['n2']);
  await sweep();
  expect(peers.opens.map(({ lease, hasBase }) => [lease.segment, hasBase])).toEqual([
    ['s', true],
    ['published', true],
  ]);
  const moved = { node: 'n2', session: 'n2-1', state: 'held', stream: '1' };
  expect(await cluster.leaseOf('s')).toMatchObject({ ...moved, epoch: 4, version: 60, unpromoted: true });
  expect(await cluster.leaseOf('published')).toMatchObject({ ...moved, epoch: 2, sha256: 'ab', unpromoted: false });
  expect(await cluster.leaseOf('alone')).toMatchObject({ node: 'n1', epoch: 1 });
});

test('what its holder said was written most goes first, of several holders in turn, then what has unpublished writes', async () => {
  const { cluster, peers, sweep } = await registryWith({ journaled: true }, 'n1', 'n2', 'n3');
  await cluster.lease('quiet', { ...journaled, unpromoted: false });
  await cluster.lease('unpromoted', journaled);
  for (const segment of ['third', 'first']) await cluster.lease(segment, { ...journaled, unpromoted: false });
  await cluster.lease('second', { ...journaled, node: 'n2', session: 'n2-1' });
  cluster.beat('n1', { written: ['first', 'gone since', 'third'] });
  cluster.beat('n2', { written: ['elsewhere', 'second'] });
  await cluster.pass(11_000, ['n3']);
  await sweep();
  expect(peers.opens.map(({ lease }) => lease.segment)).toEqual(['first', 'second', 'third', 'unpromoted', 'quiet']);
});

test('a segment of a lost node that somebody waits for does not wait for its turn', async () => {
  const { cluster, peers, sweep, wanted } = await registryWith({ journaled: true }, 'n1', 'n2');
  const others = Array.from({ length: 40 }, (_, at) => `other-${String(at)}`);
  for (const other of others) await cluster.lease(other, journaled);
  await cluster.lease('s', { ...journaled, unpromoted: false });
  await wanted('s');
  await cluster.pass(11_000, ['n2']);
  expect(peers.calls).toEqual([]);
  const held = others.map(() => peers.gate.holdNext('open'));
  const swept = sweep();
  await Promise.all(held.slice(0, 32).map(({ reached }) => reached));
  await wanted('s');
  await held[32]?.reached;
  expect((await cluster.leaseOf('s'))?.node).toBe('n2');
  for (const one of held) one.open();
  await swept;
  await vi.waitFor(() => {
    expect(peers.opens.filter(({ lease }) => lease.segment === 's')).toHaveLength(1);
    expect(peers.opens).toHaveLength(41);
  });
});

test('nothing moves while the holder may still be there, nor before an old leader has run out', async () => {
  const { cluster, led, peers, sweep } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.lease('s', journaled);
  await sweep();
  await cluster.pass(11_000, ['n2']);
  led.ms = 11_999;
  await sweep();
  expect(peers.calls).toEqual([]);
  led.ms = 12_000;
  await sweep();
  expect(peers.calls).toEqual(['open n2']);
});

test('a node that stopped cleanly keeps its leases as long as a restart takes', async () => {
  const { cluster, peers, sweep } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.lease('s', journaled);
  await cluster.node('n1', { state: 'stopped' });
  await cluster.pass(5_000, ['n2']);
  await sweep();
  expect(peers.calls).toEqual([]);
  await cluster.pass(6_000, ['n2']);
  await sweep();
  expect(peers.calls).toEqual(['open n2']);
});

test('a take-over that the new node cannot do at once leaves the lease with it', async () => {
  const { cluster, peers, sweep } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.lease('s', journaled);
  await cluster.pass(11_000, ['n2']);
  peers.gate.failNext('open', new TroughError('COLD_FAILED', 'down'));
  await sweep();
  expect(await cluster.leaseOf('s')).toMatchObject({ node: 'n2', state: 'held', unpromoted: true });
});

test('a provision of a segment whose holder is gone moves it, and a promote asks to try again', async () => {
  const { cluster, provision, promote } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.lease('s', journaled);
  await cluster.pass(11_000, ['n2']);
  await expect(promote('s')).rejects.toEqual(code('NODE_UNAVAILABLE'));
  expect(await provision('s')).toMatchObject({ node: 'n2', created: false });
  expect(await cluster.leaseOf('s')).toMatchObject({ node: 'n2', unpromoted: true });
});

test('a shred leaves one record in the journal, behind which nobody who held the segment can write', async () => {
  const { cluster, server, shred } = await registryWith({ journaled: true }, 'n1');
  const claim = encodeRecord({ kind: 'claim', node: 'n1', session: 'n1-1', epoch: 5, previous: 0 });
  server?.append(key, { id: 'a', body: claim }, 0);
  await cluster.lease('s', { ...journaled, epoch: 5 });
  await shred('s', true);
  const left = server?.range(key, 0, 100, 100) ?? [];
  expect(left.map(({ body }) => decodeRecord(body))).toMatchObject([{ kind: 'shredded', epoch: 6, previous: 1 }]);
  expect(server?.append(key, { id: 'b', body: claim }, 1)).toMatchObject({ kind: 'refused' });
});

test('a segment is moved to the writer that is named, by its holder', async () => {
  const { cluster, peers, moveWriter } = await registryWith({ journaled: true }, 'n1', 'n2', 'n3');
  await cluster.lease('s', { ...journaled, epoch: 4 });
  expect(await moveWriter('s', 'n3')).toEqual({ segment: 's', from: 'n1', node: 'n3' });
  expect(peers.calls).toEqual(['handOver n1']);
  expect(peers.handOvers).toEqual([{ segment: 's', epoch: 4, to: { node: 'n3', session: 'n3-1' } }]);
  expect(await moveWriter('s', 'n1')).toEqual({ segment: 's', from: 'n1', node: 'n1' });
  expect(peers.calls).toHaveLength(1);
});

test('nothing is moved to a node that is unknown, away, about to stop or no writer, nor what has no journal', async () => {
  const { cluster, peers, moveWriter } = await registryWith({ journaled: true }, 'n1', 'n2');
  await cluster.node('reader', { roles: ['reader'] });
  await cluster.node('gone', { state: 'stopped' });
  cluster.beat('n2', { leaving: true });
  await cluster.lease('s', journaled);
  await cluster.lease('alone', { unpromoted: true });
  await expect(moveWriter('s', 'n9')).rejects.toEqual(code('NODE_UNKNOWN'));
  for (const node of ['reader', 'gone', 'n2'])
    await expect(moveWriter('s', node)).rejects.toEqual(code('NODE_UNAVAILABLE'));
  cluster.beat('n2');
  await expect(moveWriter('alone', 'n2')).rejects.toEqual(code('SEGMENT_LEASED'));
  expect(peers.calls).toEqual([]);
});

test('a segment is taken off its node by moving it where it has a journal and another writer stays, else by giving it up', async () => {
  const { cluster, peers, vacate } = await registryWith({ journaled: true }, 'n1', 'n2');
  peers.onHolder = () => Promise.resolve({ published: PUBLISHED });
  await cluster.lease('s', journaled);
  await cluster.lease('alone', { unpromoted: true });
  await vacate('s');
  await vacate('alone');
  expect(peers.calls).toEqual(['handOver n1', 'close n1']);
  await cluster.put(keys.drain('n2'), { node: 'n2', sinceMs: 1 });
  await vacate('s');
  expect(peers.calls).toEqual(['handOver n1', 'close n1', 'close n1']);
});
