import { expect, test } from 'vitest';
import { HeldLease } from '../../../src/actors/writer/held-lease.ts';
import { HotSegment, type Written } from '../../../src/actors/writer/hot-segment.ts';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { keys } from '../../../src/messages/keys.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster, leaseDocument } from '../../support/fake-cluster.ts';
import { FakeColdStore, sha256Of } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { FakeEngine } from '../../support/fake-engine.ts';

const id = parseSegmentId('crawl-1');
const paths = dataPaths('/data');

/** A segment that is open on n1, made from an empty schema. */
async function scene(options: { queueLimit?: number; confirmed?: () => boolean } = {}) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const document = leaseDocument(id);
  const revision = await cluster.lease(id);
  const held = { store: cluster.store, clock: cluster.clock, confirmed: options.confirmed ?? (() => true) };
  const lease = new HeldLease(held, document, revision, undefined);
  const session = await engine.openWriter({ segment: id, file: paths.hot(id), schemaSql: '' });
  const deps = { engine, cold, disk, paths, clock: cluster.clock, log: silentLog };
  const hot = new HotSegment(id, lease, session, { ...deps, queueLimit: options.queueLimit ?? 100 });
  const write = (sql: string, deadlineMs = 1_000): Promise<Written> => hot.write({ kind: 'script', sql }, deadlineMs);
  return { cluster, disk, engine, cold, hot, write, committed: () => disk.files.get(paths.hot(id)) };
}

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

function leaseWrites(cluster: FakeCluster): { count: number } {
  const seen = { count: 0 };
  const update = cluster.store.update.bind(cluster.store);
  cluster.store.update = (...args) => {
    seen.count += 1;
    return update(...args);
  };
  return seen;
}

test('requests that wait share one transaction, in the order in which they came', async () => {
  const { engine, write, committed } = await scene();
  const written = await Promise.all(['a', 'b', 'c'].map((sql) => write(sql)));
  expect(engine.groups).toEqual([['a', 'b', 'c']]);
  expect(committed()).toBe('a\nb\nc\n');
  expect(written.map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
});

test('what comes while a group commits goes into the next one', async () => {
  const { engine, write, committed } = await scene();
  const gate = engine.gate.holdNext('commit');
  const first = write('a');
  await gate.reached;
  const others = [write('b'), write('c')];
  gate.open();
  await Promise.all([first, ...others]);
  expect(engine.groups).toEqual([['a'], ['b', 'c']]);
  expect(committed()).toBe('a\nb\nc\n');
});

test('a request that fails is undone alone and says why', async () => {
  const { write, committed } = await scene();
  const results = await Promise.allSettled([write('a'), write('bad b'), write('c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toEqual({ status: 'rejected', reason: code('SQL_FAILED') });
  expect(committed()).toBe('a\nc\n');
});

test('a group in which every request fails commits nothing and leaves the session in order', async () => {
  const { write, committed } = await scene();
  await expect(write('bad a')).rejects.toEqual(code('SQL_FAILED'));
  expect((await write('b')).sequence).toBe(1);
  expect(committed()).toBe('b\n');
});

test('one write more than the queue takes is refused, and those that wait are not', async () => {
  const { write, committed } = await scene({ queueLimit: 2 });
  const waiting = [write('a'), write('b')];
  await expect(write('c')).rejects.toEqual(code('WRITE_QUEUE_FULL'));
  await Promise.all(waiting);
  expect(committed()).toBe('a\nb\n');
});

test('a group that is killed is run again one by one, and only the one without an end fails', async () => {
  const { cluster, engine, write, committed } = await scene();
  const results = Promise.allSettled([write('a'), write('endless'), write('c')]);
  await cluster.clock.advance(2_000);
  expect((await results).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await results)[1]).toEqual({ status: 'rejected', reason: code('ENGINE_DEADLINE') });
  expect(engine.groups).toEqual([['a', 'endless', 'c'], ['a'], ['endless'], ['c']]);
  expect(committed()).toBe('a\nc\n');
});

test('requests that came after a killed group do not run before it', async () => {
  const { cluster, engine, write, committed } = await scene();
  const killed = [write('a'), write('endless').catch(() => undefined)];
  await cluster.settle();
  const later = [write('d'), write('e')];
  await cluster.clock.advance(2_000);
  await Promise.all([...killed, ...later]);
  expect(engine.groups).toEqual([['a', 'endless'], ['a'], ['endless'], ['d', 'e']]);
  expect(committed()).toBe('a\nd\ne\n');
});

test('a commit whose child died is neither a success nor a failure', async () => {
  const { write, committed } = await scene();
  await expect(write('crash at commit')).rejects.toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  await write('b');
  expect(committed()).toBe('b\n');
});

test('a session whose child died while nothing was written is opened again before the next write', async () => {
  const { engine, write, committed } = await scene();
  await write('a');
  engine.sessions[0]?.die();
  await write('b');
  expect(committed()).toBe('a\nb\n');
});

test('a session whose child died while nothing was written is opened again before a promote', async () => {
  const { engine, write, hot, cold } = await scene();
  await write('a');
  engine.sessions[0]?.die();
  await hot.promote();
  expect(cold.content(id)).toBe('a\n');
});

test('a segment that cannot be opened again takes no more writes', async () => {
  const { engine, write, hot } = await scene();
  engine.gate.failNext('openWriter', new TroughError('ENGINE_CHILD_DIED', 'no child'));
  const results = await Promise.allSettled([write('a'), write('crash'), write('c')]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(hot.open).toBe(false);
  await expect(write('d')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('the lease says that there are unpromoted writes before the first one is acknowledged, and is written once', async () => {
  const { cluster, engine, write } = await scene();
  const writes = leaseWrites(cluster);
  const gate = engine.gate.holdNext('commit');
  const first = write('a');
  await gate.reached;
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true });
  gate.open();
  await first;
  await write('b');
  await write('c');
  expect(writes.count).toBe(1);
});

test('nothing is acknowledged or kept when the lease went to another node meanwhile', async () => {
  const { cluster, engine, write, committed } = await scene({ confirmed: () => false });
  await write('a');
  const gate = engine.gate.holdNext('apply');
  const second = write('b');
  await gate.reached;
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  gate.open();
  await expect(second).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(committed()).toBe('a\n');
});

test('nothing is acknowledged when neither the leader nor the store says that the lease is ours', async () => {
  const { cluster, write, committed } = await scene({ confirmed: () => false });
  await write('a');
  cluster.store.setReachable(false);
  await expect(write('b')).rejects.toEqual(code('METADATA_UNREACHABLE'));
  expect(committed()).toBe('a\n');
  cluster.store.setReachable(true);
  await write('c');
  expect(committed()).toBe('a\nc\n');
});

test('promote publishes what is committed, and the lease then says that nothing is unpromoted', async () => {
  const { cluster, cold, disk, hot, write } = await scene();
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
  const { cluster, cold, hot, write } = await scene();
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
  const { cold, hot, write } = await scene();
  await write('a');
  const first = await hot.promote();
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'must not be asked'));
  expect(await hot.promote()).toEqual(first);
});

test('two promotes at one time are one', async () => {
  const { cold, hot, write } = await scene();
  await write('a');
  const gate = cold.gate.holdNext('publish');
  const first = hot.promote();
  await gate.reached;
  const second = hot.promote();
  gate.open();
  expect(await second).toBe(await first);
});

test('versions grow with each promote, also when the clock of cold storage goes back', async () => {
  const { cold, hot, write } = await scene();
  await write('a');
  const first = await hot.promote();
  const put = cold.put.bind(cold);
  cold.put = (segment, content) => put(segment, content, 1_000);
  await write('b');
  expect((await hot.promote()).version).toBe(first.version + 1);
});

test('a promote that fails leaves the lease as it was and can be tried again', async () => {
  const { cluster, cold, disk, hot, write } = await scene();
  await write('a');
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'cold storage is down'));
  await expect(hot.promote()).rejects.toEqual(code('COLD_FAILED'));
  expect(await cluster.leaseOf(id)).toMatchObject({ unpromoted: true, under_promotion: false, version: null });
  expect(disk.names('/data/tmp')).toEqual([]);
  await hot.promote();
  expect(cold.content(id)).toBe('a\n');
});

test('close publishes, then gives the lease up, then removes the hot file', async () => {
  const { cluster, cold, disk, hot, write } = await scene();
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
  const { cluster, cold, hot, write, committed } = await scene();
  await write('a');
  cold.gate.failNext('publish', new TroughError('COLD_FAILED', 'cold storage is down'));
  await expect(hot.close({ discard: false })).rejects.toEqual(code('COLD_FAILED'));
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  await write('b');
  expect(committed()).toBe('a\nb\n');
});

test('writes are refused while a segment closes, and those that waited are published', async () => {
  const { engine, cold, hot, write } = await scene();
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
  const { cluster, engine, cold, hot, write } = await scene();
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
  const { cluster, cold, disk, hot, write } = await scene();
  await write('a');
  expect(await hot.close({ discard: true })).toBeUndefined();
  expect(cold.content(id)).toBeUndefined();
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'shredded' });
  expect(disk.names()).toEqual([]);
});

test('once the lease is given up nothing is written any more, also when tidying up fails', async () => {
  const { cluster, disk, hot, write } = await scene();
  await hot.promote();
  disk.gate.failNext('remove', new TroughError('DATA_DIRECTORY_UNUSABLE', 'read-only file system'));
  await hot.close({ discard: false }).catch(() => undefined);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'released' });
  await expect(write('late')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('suspend ends the writing and keeps the lease and the file', async () => {
  const { cluster, hot, write, committed } = await scene();
  const waiting = write('a');
  await hot.suspend();
  await waiting;
  expect(committed()).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  await expect(write('b')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('it knows for how long nobody wrote and how old its oldest unpromoted write is', async () => {
  const { cluster, hot, write } = await scene();
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
  const { cluster, hot, write } = await scene();
  await cluster.put(keys.lease(id), leaseDocument(id, { schema: 'renamed' }));
  await write('a');
  await hot.promote();
  expect(await cluster.leaseOf(id)).toMatchObject({ schema: 'renamed', unpromoted: false });
});
