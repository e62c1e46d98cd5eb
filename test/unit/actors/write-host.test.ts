import { expect, test } from 'vitest';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { DAMAGED } from '../../support/fake-engine.ts';
import { id, paths, writeHost } from './write-host-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a granted segment is made from its schema, written to, and shown to readers of this node', async () => {
  const { open, write, host, content } = writeHost();
  expect(await open({ epoch: 3 }, false, 'create table t (x)')).toEqual({ sizeBytes: 19, created: true });
  expect(await write('a')).toMatchObject({ node: 'n1', sequence: 1 });
  expect(content()).toBe('create table t (x)\na\n');
  expect(host.openCount).toBe(1);
  expect(host.hotFile(id)).toMatchObject({ file: paths.hot(id), epoch: 3 });
});

test('a segment that is written is told of as one that is written here', async () => {
  const { cluster, host, open, write } = writeHost();
  await open();
  await write('a');
  await cluster.pass(10_000);
  expect(host.rates.most()).toMatchObject([{ segment: id }]);
});

test('a segment with a base starts from the file in cold storage, and its lease then names that', async () => {
  const { cluster, cold, open, write, content } = writeHost();
  cold.put(id, 'rows\n', 70);
  expect(await open({}, true)).toEqual({ sizeBytes: 5, created: false });
  await write('a');
  expect(content()).toBe('rows\na\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ version: 70, sha256: sha256Of('rows\n'), sizeBytes: 5 });
});

test('a file that another put into cold storage since the last lease is a version of its own', async () => {
  const { cluster, cold, open } = writeHost();
  cold.put(id, 'theirs', 60);
  await open({ version: 100, sha256: 'ours', sizeBytes: 4 }, true);
  expect(await cluster.leaseOf(id)).toMatchObject({ version: 101, sha256: sha256Of('theirs') });
});

test('a damaged base is not opened and leaves no file', async () => {
  const { cold, disk, open, host } = writeHost();
  cold.put(id, DAMAGED, 70);
  await expect(open({ version: 70 }, true)).rejects.toEqual(code('SEGMENT_DAMAGED'));
  expect(disk.names()).toEqual([]);
  expect(host.openCount).toBe(0);
});

test('opening again changes nothing', async () => {
  const { engine, open, write, content } = writeHost();
  await open();
  await write('a');
  expect(await open()).toMatchObject({ created: false });
  expect(content()).toBe('a\n');
  expect(engine.opened).toHaveLength(1);
});

test('a file of an older lease is not written over but moved to lost+found', async () => {
  const { disk, open, content } = writeHost();
  disk.files.set(paths.hot(id), 'old writes\n');
  await open({ epoch: 2 });
  expect(content()).toBe('');
  const [kept] = disk.names(paths.lostDir);
  expect(disk.files.get(kept ?? '')).toBe('old writes\n');
});

test('a lease that was granted to another node is not opened here', async () => {
  const { open, host } = writeHost();
  await expect(open({ node: 'n2' })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(open({ state: 'released' })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(host.openCount).toBe(0);
});

test('a request that names no segment id is refused and does not fail the actor, which would close every segment', async () => {
  const { host } = writeHost();
  const refused: unknown[] = [];
  const reply = (result: { ok: boolean; error?: unknown }): void => void refused.push(result.error);
  const open = { lease: leaseDocument('../x'), revision: 1, schemaSql: '', hasBase: false };
  const close = { segment: '../x', epoch: 1, discard: false };
  expect(() => {
    host.receive({ kind: 'open', request: open, reply });
    host.receive({ kind: 'close', request: close, reply });
    host.receive({ kind: 'promote', request: close, reply });
  }).not.toThrow();
  await host.stop();
  expect(refused).toEqual(Array(3).fill(code('SEGMENT_ID_INVALID')));
});

test('promote and close are for the lease that they name', async () => {
  const { cold, open, write, holder } = writeHost();
  await open({ epoch: 2 });
  await write('a');
  await expect(holder('promote', 1)).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(holder('close', 3)).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(await holder('promote', 2)).toMatchObject({ published: { sha256: sha256Of('a\n') } });
  expect(cold.content(id)).toBe('a\n');
});

test('a closed segment is published, its lease given up and its writes refused', async () => {
  const { cluster, cold, disk, open, write, holder, host } = writeHost();
  await open();
  await write('a');
  expect(await holder('close')).toMatchObject({ published: { sizeBytes: 2 } });
  await cluster.settle();
  expect(cold.content(id)).toBe('a\n');
  expect(disk.names()).toEqual([]);
  expect([host.openCount, host.hotFile(id)]).toEqual([0, undefined]);
  await expect(write('b')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('a discarded segment leaves nothing', async () => {
  const { cluster, cold, disk, open, write, holder } = writeHost();
  await open();
  await write('a');
  expect(await holder('close', 1, true)).toEqual({});
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'shredded' });
  expect([cold.content(id), ...disk.names()]).toEqual([undefined]);
});

test('a write for a segment that another node holds is handed to that node, once', async () => {
  const { cluster, peers, write } = writeHost();
  await cluster.lease(id, { node: 'n2' });
  expect(await write('a')).toMatchObject({ node: 'n2' });
  expect(peers.writes).toMatchObject([{ segment: id, onlyHere: true }]);
  await expect(write('a', { onlyHere: true })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('the leader hears that somebody writes to a segment whose holder is away, and of no other', async () => {
  const { cluster, asked, write } = writeHost();
  await cluster.node('n1');
  await cluster.node('n2');
  await cluster.lease(id, { node: 'n2' });
  await write('a');
  expect(asked).toEqual([]);
  await cluster.pass(11_000, ['n1']);
  await write('a');
  expect(asked).toEqual([`take over ${id}`]);
});

test('a write for a segment that nobody holds is refused', async () => {
  const { cluster, peers, write } = writeHost();
  await expect(write('a')).rejects.toEqual(code('SEGMENT_UNKNOWN'));
  await cluster.lease(id, { node: 'n2', state: 'released' });
  await expect(write('a')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(peers.calls).toEqual([]);
});

test('a write that comes while its segment is being opened here is told to try again', async () => {
  const { cluster, write } = writeHost();
  await cluster.lease(id);
  await expect(write('a')).rejects.toEqual(code('NODE_UNAVAILABLE'));
});

test('no write runs longer than the node allows', async () => {
  const { cluster, open, write } = writeHost();
  await open();
  const endless = write('endless', { deadlineMs: 60_000 }).catch((error: unknown) => error);
  await cluster.clock.advance(1_000);
  expect(await endless).toEqual(code('ENGINE_DEADLINE'));
});
