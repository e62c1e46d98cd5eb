import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { keys } from '../../../src/messages/keys.ts';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { id, openSegment } from './hot-segment-fixture.ts';

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('promote publishes what is committed, and the lease then says that nothing is unpromoted', async () => {
  const { cluster, cold, disk, hot, write } = await openSegment();
  await write('a');
  const published = await hot.promote();
  expect(cold.content(id)).toBe('a\n');
  expect(published).toMatchObject({ sha256: sha256Of('a\n'), sizeBytes: 2, path: '/cold/crawl-1.sqlite' });
  const { version, sha256, sizeBytes } = published;
  expect(await cluster.leaseOf(id)).toMatchObject({
    ...{ version, sha256, sizeBytes },
    ...{ unpromoted: false, under_promotion: false, state: 'held' },
  });
  expect(disk.names('/data/tmp')).toEqual([]);
});

test('the state at the snapshot is what is published, and a write that came in between stays unpromoted', async () => {
  const { cluster, cold, hot, write } = await openSegment();
  await write('a');
  const gate = cold.gate.holdNext('publish');
  const promote = hot.promote();
  await gate.reached;
  expect(await cluster.leaseOf(id)).toMatchObject({ under_promotion: true });
  await write('b');
  gate.open();
  const { sha256 } = await promote;
  expect(cold.content(id)).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true, under_promotion: false, sha256 });
  await hot.promote();
  expect(cold.content(id)).toBe('a\nb\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: false });
});

test('a promote without anything new publishes nothing again', async () => {
  const { cold, hot, write } = await openSegment();
  await write('a');
  const first = await hot.promote();
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'must not be asked'));
  expect(await hot.promote()).toEqual(first);
});

test('two promotes at one time are one', async () => {
  const { cold, hot, write } = await openSegment();
  await write('a');
  const gate = cold.gate.holdNext('publish');
  const first = hot.promote();
  await gate.reached;
  const second = hot.promote();
  gate.open();
  expect(await second).toBe(await first);
});

test('versions grow with each promote, also when the clock of cold storage goes back', async () => {
  const { cold, hot, write } = await openSegment();
  await write('a');
  const first = await hot.promote();
  const put = cold.put.bind(cold);
  cold.put = (segment, content) => put(segment, content, 1_000);
  await write('b');
  expect((await hot.promote()).version).toBe(first.version + 1);
});

test('a promote that fails leaves the lease as it was and can be tried again', async () => {
  const { cluster, cold, disk, hot, write } = await openSegment();
  await write('a');
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'cold storage is down'));
  await expect(hot.promote()).rejects.toEqual(code('COLD_FAILED'));
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true, under_promotion: false, version: null });
  expect(disk.names('/data/tmp')).toEqual([]);
  await hot.promote();
  expect(cold.content(id)).toBe('a\n');
});

test('close publishes, then gives the lease up, then removes the hot file', async () => {
  const { cluster, cold, disk, hot, write } = await openSegment();
  await write('a');
  const gate = disk.gate.holdNext('remove');
  const closing = hot.close({ discard: false });
  await gate.reached; // of the snapshot
  gate.open();
  const last = disk.gate.holdNext('remove');
  await last.reached;
  expect(cold.content(id)).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'released', unpromoted: false });
  last.open();
  expect(await closing).toMatchObject({ sha256: sha256Of('a\n') });
  expect(disk.names()).toEqual([]);
});

test('a close that cold storage does not let happen leaves the segment open with its writes', async () => {
  const { cluster, cold, hot, write, committed } = await openSegment();
  await write('a');
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'cold storage is down'));
  await expect(hot.close({ discard: false })).rejects.toEqual(code('COLD_FAILED'));
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  await write('b');
  expect(committed()).toBe('a\nb\n');
});

test('writes are refused while a segment closes, and those that waited are published', async () => {
  const { engine, cold, hot, write } = await openSegment();
  const gate = engine.gate.holdNext('commit');
  const waiting = write('a');
  await gate.reached;
  const closing = hot.close({ discard: false });
  await expect(write('b')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  gate.open();
  await Promise.all([waiting, closing]);
  expect(cold.content(id)).toBe('a\n');
  await expect(write('c')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('a close loses no acknowledged write when a promote began before that write was committed', async () => {
  const { cluster, engine, cold, hot, write } = await openSegment();
  const commit = engine.gate.holdNext('commit');
  const first = write('a');
  await commit.reached;
  const second = write('b');
  const closing = hot.close({ discard: false });
  await cluster.settle();
  const snapshot = engine.gate.holdNext('snapshot');
  const promote = hot.promote();
  commit.open();
  await snapshot.reached;
  await Promise.all([first, second]);
  snapshot.open();
  await Promise.all([promote, closing]);
  expect(cold.content(id)).toBe('a\nb\n');
});

test('a close with discard publishes nothing, says shredded, and removes the hot file', async () => {
  const { cluster, cold, disk, hot, write } = await openSegment();
  await write('a');
  expect(await hot.close({ discard: true })).toBeUndefined();
  expect(cold.content(id)).toBeUndefined();
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'shredded' });
  expect(disk.names()).toEqual([]);
});

test('once the lease is given up nothing is written any more, also when tidying up fails', async () => {
  const { cluster, disk, hot, write } = await openSegment();
  await hot.promote();
  disk.gate.failNext('remove', new TroughError('DATA_DIRECTORY_UNUSABLE', 'read-only file system'));
  await hot.close({ discard: false }).catch(() => undefined);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'released' });
  await expect(write('late')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('suspend ends the writing and keeps the lease and the file', async () => {
  const { cluster, hot, write, committed } = await openSegment();
  const waiting = write('a');
  await hot.suspend();
  await waiting;
  expect(committed()).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  await expect(write('b')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('it knows for how long nobody wrote and how old its oldest unpromoted write is', async () => {
  const { cluster, hot, write } = await openSegment();
  await cluster.clock.advance(100);
  expect({ idle: hot.idleMs, unpromoted: hot.unpromotedMs }).toEqual({ idle: 100, unpromoted: 0 });
  await write('a');
  await cluster.clock.advance(70);
  await write('b');
  await cluster.clock.advance(30);
  expect({ idle: hot.idleMs, unpromoted: hot.unpromotedMs }).toEqual({ idle: 30, unpromoted: 100 });
  await hot.promote();
  expect(hot.unpromotedMs).toBe(0);
});

test('a change that another made to the document of our lease is kept by our own changes', async () => {
  const { cluster, hot, write } = await openSegment();
  await cluster.put(keys.lease(id), leaseDocument(id, { schema: 'renamed' }));
  await write('a');
  await hot.promote();
  expect(await cluster.leaseOf(id)).toMatchObject({ schema: 'renamed', unpromoted: false });
});
