import { expect, test } from 'vitest';
import { WriteHost, type WriteHostDeps } from '../../../src/actors/writer/write-host.ts';
import { TroughError } from '../../../src/errors.ts';
import { type LeaseDocument } from '../../../src/messages/documents.ts';
import { keys } from '../../../src/messages/keys.ts';
import { type HolderAnswer, type OpenAnswer } from '../../../src/messages/node-messages.ts';
import { type WriteAnswer } from '../../../src/messages/writing.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { ask } from '../../../src/runtime/ask.ts';
import { FakeCluster, leaseDocument } from '../../support/fake-cluster.ts';
import { FakeColdStore, sha256Of } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { DAMAGED, FakeEngine } from '../../support/fake-engine.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';
import { recordingLog } from '../../support/recording-log.ts';

const id = parseSegmentId('s');
const paths = dataPaths('/data');

/** The write host of node n1 in session n1-1. */
async function scene(options: Partial<WriteHostDeps> = {}) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const peers = new FakeNodes();
  const { log, lines } = recordingLog();
  const asked: string[] = [];
  const host = new WriteHost({
    ...{ clock: cluster.clock, view: cluster.view, store: cluster.store },
    ...{ log, engine, cold, disk, paths, peers },
    self: { node: 'n1', session: 'n1-1' },
    confirmed: () => true,
    writeDeadlineMs: 1_000,
    queueLimit: 100,
    promoteAfterMs: 60_000,
    releaseAfterMs: 600_000,
    leader: {
      promote: (segment) => Promise.resolve(asked.push(`promote ${segment}`)),
      release: (segment) => Promise.resolve(asked.push(`release ${segment}`)),
    },
    ...options,
  });
  const ref = {
    name: host.name,
    send: (message: Parameters<WriteHost['receive']>[0]): boolean => {
      host.receive(message);
      return true;
    },
  };
  const open = async (from: Partial<LeaseDocument> = {}, hasBase = false, schemaSql = ''): Promise<OpenAnswer> => {
    const lease = leaseDocument(id, from);
    const revision = await cluster.lease(id, from);
    return ask(ref, (reply) => ({ kind: 'open', request: { lease, revision, schemaSql, hasBase }, reply }));
  };
  const holder = (kind: 'promote' | 'close', epoch = 1, discard = false): Promise<HolderAnswer> =>
    ask(ref, (reply) => ({ kind, request: { segment: id, epoch, discard }, reply }));
  const write = (sql: string, changes: { onlyHere?: boolean; deadlineMs?: number } = {}): Promise<WriteAnswer> => {
    const call = { segment: id, request: { kind: 'script', sql }, onlyHere: false, ...changes } as const;
    return ask(ref, (reply) => ({ kind: 'write', call, reply }));
  };
  const hear = (): void => {
    const lease = cluster.view.lease(id);
    if (lease !== undefined) host.receive({ kind: 'lease', lease });
  };
  const content = (): string | undefined => disk.files.get(paths.hot(id));
  return { cluster, disk, engine, cold, peers, lines, asked, host, ref, open, holder, write, hear, content };
}

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a granted segment is made from its schema, written to, and shown to readers of this node', async () => {
  const { open, write, host, content } = await scene();
  expect(await open({ epoch: 3 }, false, 'create table t (x)')).toEqual({ sizeBytes: 19, created: true });
  expect(await write('a')).toMatchObject({ node: 'n1', sequence: 1 });
  expect(content()).toBe('create table t (x)\na\n');
  expect(host.openCount).toBe(1);
  expect(host.hotFile(id)).toMatchObject({ file: paths.hot(id), epoch: 3 });
});

test('a segment with a base starts from the file in cold storage, and its lease then names that', async () => {
  const { cluster, cold, open, write, content } = await scene();
  cold.put(id, 'rows\n', 70);
  expect(await open({}, true)).toEqual({ sizeBytes: 5, created: false });
  await write('a');
  expect(content()).toBe('rows\na\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ version: 70, sha256: sha256Of('rows\n'), sizeBytes: 5 });
});

test('a file that another put into cold storage since the last lease is a version of its own', async () => {
  const { cluster, cold, open } = await scene();
  cold.put(id, 'theirs', 60);
  await open({ version: 100, sha256: 'ours', sizeBytes: 4 }, true);
  expect(await cluster.leaseOf(id)).toMatchObject({ version: 101, sha256: sha256Of('theirs') });
});

test('a damaged base is not opened and leaves no file', async () => {
  const { cold, disk, open, host } = await scene();
  cold.put(id, DAMAGED, 70);
  await expect(open({ version: 70 }, true)).rejects.toEqual(code('SEGMENT_DAMAGED'));
  expect(disk.names()).toEqual([]);
  expect(host.openCount).toBe(0);
});

test('opening again changes nothing', async () => {
  const { engine, open, write, content } = await scene();
  await open();
  await write('a');
  expect(await open()).toMatchObject({ created: false });
  expect(content()).toBe('a\n');
  expect(engine.opened).toHaveLength(1);
});

test('a file of an older lease is not written over but moved to lost+found', async () => {
  const { disk, open, content } = await scene();
  disk.files.set(paths.hot(id), 'old writes\n');
  await open({ epoch: 2 });
  expect(content()).toBe('');
  const [kept] = disk.names(paths.lostDir);
  expect(disk.files.get(kept ?? '')).toBe('old writes\n');
});

test('a lease that was granted to another node is not opened here', async () => {
  const { open, host } = await scene();
  await expect(open({ node: 'n2' })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(open({ state: 'released' })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(host.openCount).toBe(0);
});

test('a request that names no segment id is refused and does not fail the actor, which would close every segment', async () => {
  const { host } = await scene();
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
  const { cold, open, write, holder } = await scene();
  await open({ epoch: 2 });
  await write('a');
  await expect(holder('promote', 1)).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await expect(holder('close', 3)).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(await holder('promote', 2)).toMatchObject({ published: { sha256: sha256Of('a\n') } });
  expect(cold.content(id)).toBe('a\n');
});

test('a closed segment is published, its lease given up and its writes refused', async () => {
  const { cluster, cold, disk, open, write, holder, host } = await scene();
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
  const { cluster, cold, disk, open, write, holder } = await scene();
  await open();
  await write('a');
  expect(await holder('close', 1, true)).toEqual({});
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'shredded' });
  expect([cold.content(id), ...disk.names()]).toEqual([undefined]);
});

test('a write for a segment that another node holds is handed to that node, once', async () => {
  const { cluster, peers, write } = await scene();
  await cluster.lease(id, { node: 'n2' });
  expect(await write('a')).toMatchObject({ node: 'n2' });
  expect(peers.writes).toMatchObject([{ segment: id, onlyHere: true }]);
  await expect(write('a', { onlyHere: true })).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
});

test('a write for a segment that nobody holds is refused', async () => {
  const { cluster, peers, write } = await scene();
  await expect(write('a')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  await cluster.lease(id, { node: 'n2', state: 'released' });
  await expect(write('a')).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(peers.calls).toEqual([]);
});

test('a write that comes while its segment is being opened here is told to try again', async () => {
  const { cluster, write } = await scene();
  await cluster.lease(id);
  await expect(write('a')).rejects.toEqual(code('NODE_UNAVAILABLE'));
});

test('no write runs longer than the node allows', async () => {
  const { cluster, open, write } = await scene();
  await open();
  const endless = write('endless', { deadlineMs: 60_000 }).catch((error: unknown) => error);
  await cluster.clock.advance(1_000);
  expect(await endless).toEqual(code('ENGINE_DEADLINE'));
});

test('a segment whose lease went to another node is closed, its file kept', async () => {
  const { cluster, open, write, hear, host, content } = await scene();
  await open();
  await write('a');
  await cluster.lease(id, { node: 'n2', session: 'n2-1', epoch: 2 });
  hear();
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(content()).toBe('a\n');
});

test('its own lease, seen in the watch, changes nothing', async () => {
  const { cluster, open, write, hear, host } = await scene();
  await open();
  await write('a');
  await cluster.settle();
  hear();
  await cluster.settle();
  expect(host.openCount).toBe(1);
  await write('b');
});

test('a lease that went to another node while the segment was being opened here is noticed', async () => {
  const { cluster, engine, open, hear, host } = await scene();
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
  const { cluster, disk, host, write, content } = await scene();
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

test('a segment whose file with unpromoted writes is gone is not opened after a restart', async () => {
  const { cluster, cold, host, lines } = await scene();
  cold.put(id, 'older', 70);
  await cluster.lease(id, { session: 'n1-0', epoch: 4, version: 70, unpromoted: true });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(host.openCount).toBe(0);
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-0', epoch: 4 });
  expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ err: { code: 'SEGMENT_DAMAGED' } }]);
});

test('a segment whose file is gone but whose every write is published starts from cold storage after a restart', async () => {
  const { cluster, cold, host, content } = await scene();
  cold.put(id, 'rows', 70);
  await cluster.lease(id, { session: 'n1-0', version: 70, sha256: sha256Of('rows'), sizeBytes: 4 });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(content()).toBe('rows');
  expect(await cluster.leaseOf(id)).toMatchObject({ epoch: 2, version: 70 });
});

test('an open for the lease of an earlier run is a restart’s', async () => {
  const { cluster, disk, open, content } = await scene();
  disk.files.set(paths.hot(id), 'acknowledged\n');
  expect(await open({ session: 'n1-0', unpromoted: true })).toMatchObject({ created: false, sizeBytes: 13 });
  expect(content()).toBe('acknowledged\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ session: 'n1-1', epoch: 2 });
});

test('of two who take over one lease after a restart only one opens it', async () => {
  const { cluster, disk, host } = await scene();
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
  const { cluster, engine, host, open, write, content } = await scene();
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
  const { cluster, cold, disk, host, content } = await scene();
  cold.put(id, 'published', 70);
  disk.files.set(paths.hot(id), 'of an older lease\n');
  await cluster.lease(id, { session: 'n1-0', version: 70, sha256: sha256Of('published'), sizeBytes: 9 });
  host.receive({ kind: 'reclaim' });
  await cluster.settle();
  expect(content()).toBe('published');
  expect(disk.names(paths.lostDir)).toHaveLength(1);
});

test('the leader is asked to promote what waited long enough and to release what nobody writes any more', async () => {
  const { cluster, host, asked, open, write } = await scene();
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
  const { cluster, host, open, write } = await scene({ leader: { promote, release: promote } });
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
  const { cluster, open, write, host, content } = await scene();
  await open();
  const waiting = write('a');
  await host.stop();
  await waiting;
  expect(content()).toBe('a\n');
  expect(await cluster.leaseOf(id)).toMatchObject({ state: 'held', unpromoted: true });
  expect(host.openCount).toBe(0);
});
