import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { keys } from '../../../src/messages/keys.ts';
import { ask } from '../../../src/runtime/ask.ts';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { id, paths, writeHost } from './write-host-fixture.ts';

test('a segment whose lease went to another node is closed, its file kept', async () => {
  const { cluster, open, write, hear, host, content } = writeHost();
  await open();
  await write('a');
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  hear();
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(content()).toBe('a\n');
});

test('its own lease, seen in the watch, changes nothing', async () => {
  const { cluster, open, write, hear, host } = writeHost();
  await open();
  await write('a');
  await cluster.settle();
  hear();
  await cluster.settle();
  expect(host.openCount).toBe(1);
  await write('b');
});

test('a lease that went to another node while the segment was being opened here is noticed', async () => {
  const { cluster, engine, open, hear, host } = writeHost();
  const gate = engine.gate.holdNext('openWriter');
  const opening = open().catch(() => undefined);
  await gate.reached;
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  hear();
  gate.open();
  await opening;
  await cluster.settle();
  expect(host.hotFile(id)).toBeUndefined();
});

test('after a restart it opens what it held, from its own file, with a higher epoch', async () => {
  const { cluster, disk, host, write, content } = writeHost();
  await cluster.lease(id, { session: 'n1-0', epoch: 4, version: 70, unpromoted: true });
  await cluster.lease('other', { node: 'n2' });
  await cluster.lease('given-up', { state: 'released' });
  disk.files.set(paths.hot(id), 'acknowledged\n');
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(host.openCount).toBe(1);
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-1', epoch: 5, version: 70, unpromoted: true });
  await write('more');
  expect(content()).toBe('acknowledged\nmore\n');
});

test('a lease that was granted and never asked to be opened is opened after a while', async () => {
  const { cluster, host, hear, write } = writeHost();
  await cluster.lease(id, { epoch: 4 });
  hear();
  await cluster.clock.advance(29_999);
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(host.openCount).toBe(0);
  await cluster.clock.advance(1);
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(host.openCount).toBe(1);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', session: 'n1-1', epoch: 5 });
  await write('a');
});

test('a lease that comes to this node late, for its session before, is opened after a while as well', async () => {
  const { cluster, host, hear, write } = writeHost();
  await cluster.lease(id, { epoch: 4, session: 'n1-0' });
  hear();
  await cluster.clock.advance(30_000);
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(host.openCount).toBe(1);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', session: 'n1-1', epoch: 5 });
  await write('a');
});

test('a lease that was granted and taken back meanwhile is not opened', async () => {
  const { cluster, host, hear } = writeHost();
  await cluster.lease(id);
  hear();
  await cluster.lease(id, { state: 'released' });
  hear();
  await cluster.clock.advance(60_000);
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'released', epoch: 1 });
});

test('a segment whose file with unpromoted writes is gone is not opened after a restart', async () => {
  const { cluster, cold, host, lines } = writeHost();
  cold.put(id, 'older', 70);
  await cluster.lease(id, { session: 'n1-0', epoch: 4, version: 70, unpromoted: true });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-0', epoch: 4 });
  expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ err: { code: 'SEGMENT_DAMAGED' } }]);
});

test('a segment whose file is gone but whose every write is published starts from cold storage after a restart', async () => {
  const { cluster, cold, host, content } = writeHost();
  cold.put(id, 'rows', 70);
  await cluster.lease(id, { session: 'n1-0', version: 70, sha256: sha256Of('rows'), sizeBytes: 4 });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(content()).toBe('rows');
  expect(await cluster.leaseOf(id)).toMatchObject({ epoch: 2, version: 70 });
});

test('an open for the lease of an earlier run is a restart’s', async () => {
  const { cluster, disk, open, content } = writeHost();
  disk.files.set(paths.hot(id), 'acknowledged\n');
  expect(await open({ session: 'n1-0', unpromoted: true })).toMatchObject({ created: false, sizeBytes: 13 });
  expect(content()).toBe('acknowledged\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-1', epoch: 2 });
});

test('of two who take over one lease after a restart only one opens it', async () => {
  const { cluster, disk, host } = writeHost();
  disk.files.set(paths.hot(id), 'acknowledged\n');
  await cluster.lease(id, { session: 'n1-0' });
  const get = cluster.store.get.bind(cluster.store);
  cluster.store.get = async (key, signal) => {
    const entry = await get(key, signal);
    cluster.store.get = get;
    await cluster.put(keys.lease(id), leaseDocument(id, { node: 'n2', epoch: 9 }));
    return entry;
  };
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(await cluster.leaseOf(id)).toMatchObject({ node: 'n2', epoch: 9 });
});

test('a segment that could not be opened again is opened afresh soon, with all that was acknowledged', async () => {
  const { cluster, engine, host, open, write, content } = writeHost();
  await open();
  await write('a');
  engine.gate.failNext('openWriter', new TroughError('ENGINE_CHILD_DIED', 'no child'));
  await write('crash').catch(() => undefined);
  for (let tick = 0; tick < 2; tick += 1) {
    host.receive({ kind: 'tick' });
    await cluster.settle();
  }
  await write('b');
  expect(content()).toBe('a\nb\n');
});

test('a file of unknown age is not taken for the published state after a restart', async () => {
  const { cluster, cold, disk, host, content } = writeHost();
  cold.put(id, 'published', 70);
  disk.files.set(paths.hot(id), 'of an older lease\n');
  await cluster.lease(id, { session: 'n1-0', version: 70, sha256: sha256Of('published'), sizeBytes: 9 });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(content()).toBe('published');
  // Every acknowledged write is in cold storage, so nothing is lost with it.
  expect(disk.names(paths.lostDir)).toEqual([]);
});

test('the leader is asked to promote what waited long enough and to release what nobody writes any more', async () => {
  const { cluster, host, asked, open, write } = writeHost();
  await open();
  await write('a');
  const tick = async (ms: number): Promise<string[]> => {
    await cluster.clock.advance(ms);
    host.receive({ kind: 'tick' });
    await cluster.settle();
    return asked.splice(0);
  };
  expect(await tick(59_999)).toEqual([]);
  expect(await tick(1)).toEqual(['promote s']);
  await write('b');
  expect(await tick(599_999)).toEqual(['promote s']);
  expect(await tick(1)).toEqual(['release s']);
});

test('the leader is asked once at a time, and again when it failed', async () => {
  let fail = (): void => undefined;
  let calls = 0;
  const promote = (): Promise<unknown> => {
    calls += 1;
    return new Promise((_resolve, reject) => {
      fail = () => {
        reject(new TroughError('COLD_FAILED', 'down'));
      };
    });
  };
  const { cluster, host, open, write } = writeHost({ leader: { promote, release: promote } });
  await open();
  await write('a');
  await cluster.clock.advance(60_000);
  host.receive({ kind: 'tick' });
  await cluster.settle();
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(calls).toBe(1);
  fail();
  await cluster.settle();
  host.receive({ kind: 'tick' });
  await cluster.settle();
  expect(calls).toBe(2);
});

test('a stop ends the writing of all segments and keeps leases and files', async () => {
  const { cluster, open, write, host, content } = writeHost();
  await open();
  const waiting = write('a');
  await host.stop();
  await waiting;
  expect(content()).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  expect(host.openCount).toBe(0);
});

test('an open request that comes again while the segment is broken takes no acknowledged write away', async () => {
  const { cluster, engine, disk, host, ref, write, content } = writeHost();
  const revision = await cluster.lease(id, {});
  const request = { lease: leaseDocument(id, {}), revision, schemaSql: '', hasBase: false };
  const open = (): Promise<unknown> => ask(ref, (reply) => ({ kind: 'open', request, reply }));
  await open();
  await write('a');
  const noProcess = new TroughError('ENGINE_CHILD_DIED', 'no process');
  for (let time = 0; time < 2; time += 1) engine.gate.failNext('openWriter', noProcess);
  engine.sessions[0]?.die();
  await cluster.settle();
  expect(host.hotFile(id)).toBeUndefined();
  await open();
  expect([content(), disk.names(paths.lostDir)]).toEqual(['a\n', []]);
  await write('b');
  expect(content()).toBe('a\nb\n');
});
