import { expect, test } from 'vitest';
import { QueryRouter } from '../../../src/actors/query-router.ts';
import { ReadThrough } from '../../../src/actors/read-through.ts';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { type HotFiles, type LocalCopy } from '../../../src/messages/local-files.ts';
import { type ReadAnswer, type ReadRequest } from '../../../src/messages/reading.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { DAMAGED, FakeEngine } from '../../support/fake-engine.ts';
import { FakeNodes } from '../../support/fake-nodes.ts';

const id = parseSegmentId('s');
const paths = dataPaths('/data');

/** The router of node n1, with n2, n3 and n4 beside it. */
async function scene(holders: readonly string[] = [], wanted: readonly string[] = []) {
  const chance = { next: 0 };
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const peers = new FakeNodes();
  const copies = new Map<string, LocalCopy>();
  const hot = new Map<string, ReturnType<HotFiles['hotFile']>>();
  const damaged: string[] = [];
  const asked: string[] = [];
  const underWay: { now: Promise<void> | undefined } = { now: undefined };
  const { clock, view, store } = cluster;
  const fetched = new ReadThrough({ cold, disk, engine, paths, clock, limitBytes: 1_000, freshMs: 5_000 });
  const router = new QueryRouter({
    ...{ clock, view, store, engine, cold, peers, fetched, log: silentLog },
    hot: { hotFile: (segment) => hot.get(segment), underWay: () => underWay.now },
    copies: { copy: (segment) => copies.get(segment) },
    places: () => ({ serving: holders, target: wanted }),
    random: () => chance.next,
    emit: ({ segment }) => damaged.push(segment),
    wanted: (segment) => asked.push(segment),
    isFresh: () => true,
    isConnected: () => true,
    node: 'n1',
    deadlineMs: 60_000,
    deadlineLimitMs: 90_000,
  });
  for (const node of ['n1', 'n2', 'n3', 'n4']) await cluster.node(node);
  const read = (changes: Partial<ReadRequest> = {}): Promise<ReadAnswer> => {
    const base = { segment: id, sql: 'select 1', format: 'rows', bigints: 'digits', consistency: 'strong', hops: 0 };
    const request = { ...base, ...changes } as ReadRequest;
    return router.read(request, new AbortController().signal);
  };
  const text = async (changes: Partial<ReadRequest> = {}): Promise<string> =>
    Buffer.from((await read(changes)).body as Uint8Array).toString();
  const copyOf = (content: string, version: number): void => {
    const file = paths.copy(id);
    disk.files.set(file, content);
    copies.set(id, { file, version, sizeBytes: content.length });
  };
  const hotWith = (content: string, assertCurrent: () => Promise<void>): void => {
    disk.files.set(paths.hot(id), content);
    hot.set(id, { file: paths.hot(id), epoch: 3, assertCurrent });
  };
  return { chance, cluster, disk, engine, cold, peers, damaged, asked, underWay, read, text, copyOf, hotWith };
}

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a segment that is open for writing here is read from its hot file, once the lease is asserted', async () => {
  const { cluster, engine, hotWith, copyOf, read, text } = await scene();
  let asserted = 0;
  await cluster.lease(id, { version: 70 });
  copyOf('published', 70);
  hotWith('written', () => Promise.resolve(void (asserted += 1)));
  expect(await text()).toBe('written');
  expect(await read()).toMatchObject({ node: 'n1', version: 'live-3' });
  expect(engine.queries[0]).toMatchObject({ live: true });
  expect(asserted).toBe(2);
  await read({ consistency: 'any' });
  expect(asserted).toBe(2);
});

test('a strong read fails when the lease is not surely ours', async () => {
  const { cluster, engine, hotWith, read } = await scene();
  await cluster.lease(id);
  hotWith('written', () => Promise.reject(new TroughError('SEGMENT_NOT_WRITABLE', 'gone')));
  await expect(read()).rejects.toEqual(code('SEGMENT_NOT_WRITABLE'));
  expect(engine.queries).toEqual([]);
});

test('a segment that another node has open for writing is read there', async () => {
  const { cluster, peers, copyOf, read } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  copyOf('published', 70);
  expect(await read()).toMatchObject({ node: 'n2' });
  expect(peers.reads).toMatchObject([{ hops: 1 }]);
});

test('with consistency any the copy here answers for a segment that another node writes', async () => {
  const { cluster, peers, copyOf, text } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70, unpromoted: true });
  copyOf('published', 70);
  expect(await text({ consistency: 'any' })).toBe('published');
  expect(peers.calls).toEqual([]);
});

test('a damaged copy here does not fail a read with consistency any: it is reported, and the holder asked', async () => {
  const { cluster, damaged, copyOf, read } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  copyOf(DAMAGED, 70);
  expect(await read({ consistency: 'any' })).toMatchObject({ node: 'n2' });
  expect(damaged).toEqual([id]);
});

test('a read that was handed on goes on to a lease holder, but no further', async () => {
  const { cluster, peers, read } = await scene(['n3']);
  await cluster.lease(id, { node: 'n2', unpromoted: true });
  expect(await read({ hops: 1 })).toMatchObject({ node: 'n2' });
  expect(peers.reads).toMatchObject([{ hops: 2 }]);
  await expect(read({ hops: 2 })).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  expect(peers.calls).toEqual(['read n2']);
});

test('a holder that does not answer is stood in for by copies of what it published, when it wrote nothing since', async () => {
  const { cluster, peers, copyOf, text } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  peers.down.add('n2');
  copyOf('published', 70);
  expect(await text()).toBe('published');
});

test('a holder that is lost is not even asked', async () => {
  const { cluster, peers, copyOf, text } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  await cluster.pass(11_000, ['n1', 'n3', 'n4']);
  copyOf('published', 70);
  expect(await text()).toBe('published');
  expect(peers.calls).toEqual([]);
});

test('a suspect holder is asked only when it alone has the newest writes', async () => {
  const { cluster, peers, copyOf, read, text } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  await cluster.pass(7_000, ['n1', 'n3', 'n4']);
  copyOf('published', 70);
  expect(await text()).toBe('published');
  await cluster.lease(id, { node: 'n2', version: 70, unpromoted: true });
  expect(await read()).toMatchObject({ node: 'n2' });
  expect(peers.calls).toEqual(['read n2']);
});

test('unpromoted writes of a holder that is gone fail a strong read, of which the leader hears, and let any through', async () => {
  const { cluster, peers, asked, copyOf, read, text } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70, unpromoted: true });
  peers.down.add('n2');
  copyOf('published', 70);
  expect(await text({ consistency: 'any' })).toBe('published');
  expect(asked).toEqual([]);
  await expect(read()).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
  expect(asked).toEqual([id]);
});

test('whether the holder wrote is asked of the store, not of a view that is behind', async () => {
  const { cluster, peers, copyOf, read } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  cluster.blind();
  await cluster.lease(id, { node: 'n2', version: 70, unpromoted: true });
  peers.down.add('n2');
  copyOf('published', 70);
  await expect(read()).rejects.toEqual(code('SEGMENT_HOLDER_DOWN'));
});

test('a holder that is gone before it published anything leaves nothing to read', async () => {
  const { cluster, peers, read } = await scene();
  await cluster.lease(id, { node: 'n2' });
  peers.down.add('n2');
  await expect(read()).rejects.toEqual(code('NODE_UNAVAILABLE'));
});

test('a copy that is older than what was published does not answer a strong read', async () => {
  const { cluster, peers, copyOf, read, text } = await scene(['n2']);
  await cluster.lease(id, { state: 'released', version: 70 });
  copyOf('older', 69);
  expect(await read()).toMatchObject({ node: 'n2' });
  expect(await text({ consistency: 'any' })).toBe('older');
  expect(peers.calls).toEqual(['read n2']);
});

test('a copy here of a segment that was never leased answers by itself', async () => {
  const { peers, engine, copyOf, read, text } = await scene(['n2']);
  copyOf('copied', 70);
  expect(await text()).toBe('copied');
  expect(await read()).toMatchObject({ node: 'n1', version: '70' });
  expect(engine.queries[0]).toMatchObject({ live: false, version: '70' });
  expect(peers.calls).toEqual([]);
});

test('a read without a copy here is handed to the least loaded holder that is alive and reads', async () => {
  const { cluster, peers, read } = await scene(['n1', 'n2', 'n3', 'n4', 'n5']);
  await cluster.node('n5', { roles: ['sync-local'] });
  await cluster.pass(7_000, ['n1', 'n2', 'n3', 'n5']);
  cluster.beat('n2', { load: 0.9 });
  cluster.beat('n3', { load: 0.2 });
  expect(await read()).toMatchObject({ node: 'n3' });
  expect(peers.reads).toMatchObject([{ hops: 1 }]);
});

test('a holder that cannot even try is followed by one other, then by cold storage', async () => {
  const { cluster, peers, cold, read, text } = await scene(['n2', 'n3', 'n4']);
  cluster.beat('n2', { load: 0.1 });
  cluster.beat('n3', { load: 0.2 });
  cluster.beat('n4', { load: 0.3 });
  peers.down.add('n2');
  expect(await read()).toMatchObject({ node: 'n3' });
  peers.down.add('n3');
  cold.put(id, 'from afar', 70);
  expect(await text()).toBe('from afar');
  expect(peers.calls).toEqual(['read n2', 'read n3', 'read n2', 'read n3']);
});

test.each(['ENGINE_POOL_FULL', 'SEGMENT_DAMAGED', 'STOPPING'] as const)(
  '%s on one copy is no answer',
  async (reason) => {
    const { peers, read } = await scene(['n2', 'n3']);
    peers.gate.failNext('read', new TroughError(reason, 'not now'));
    expect(await read()).toMatchObject({ node: 'n3' });
  },
);

test.each(['SQL_INVALID', 'ENGINE_DEADLINE'] as const)('%s on one copy is the answer', async (reason) => {
  const { peers, read } = await scene(['n2', 'n3']);
  peers.gate.failNext('read', new TroughError(reason, 'no'));
  await expect(read()).rejects.toEqual(code(reason));
  expect(peers.calls).toEqual(['read n2']);
});

test('a read that was handed on is not handed on to another copy', async () => {
  const { peers, cold, text } = await scene(['n2', 'n3']);
  cold.put(id, 'from afar', 70);
  expect(await text({ hops: 1 })).toBe('from afar');
  expect(peers.calls).toEqual([]);
});

test.each([
  ['damaged', DAMAGED],
  ['gone', undefined],
])('a copy here that is %s is reported, and the read goes on elsewhere', async (_what, content) => {
  const { damaged, disk, copyOf, read } = await scene(['n2']);
  copyOf(content ?? '', 70);
  if (content === undefined) disk.files.clear();
  expect(await read()).toMatchObject({ node: 'n2' });
  expect(damaged).toEqual([id]);
});

test('an error of its SQL is the answer, and no reason to report the copy', async () => {
  const { engine, damaged, copyOf, read } = await scene(['n2']);
  copyOf('copied', 70);
  engine.gate.failNext('query', new TroughError('SQL_FAILED', 'no such table'));
  await expect(read()).rejects.toEqual(code('SQL_FAILED'));
  expect(damaged).toEqual([]);
});

test('a shredded segment is unknown, whatever lies here', async () => {
  const { cluster, cold, copyOf, read } = await scene(['n2']);
  await cluster.lease(id, { state: 'shredded' });
  copyOf('copied', 70);
  cold.put(id, 'cold', 70);
  await expect(read()).rejects.toEqual(code('SEGMENT_UNKNOWN'));
});

test('a segment that is shredded while its holder is gone is unknown too', async () => {
  const { cluster, copyOf, read } = await scene();
  await cluster.lease(id, { node: 'n2', version: 70 });
  cluster.blind();
  await cluster.lease(id, { state: 'shredded', node: '' });
  await cluster.pass(11_000, ['n1']);
  copyOf('copied', 70);
  await expect(read()).rejects.toEqual(code('SEGMENT_UNKNOWN'));
});

test('a segment that nobody has heard of is unknown', async () => {
  const { read } = await scene();
  await expect(read()).rejects.toEqual(code('SEGMENT_UNKNOWN'));
});

test('a damaged file that was fetched is dropped, so that the next read fetches it anew', async () => {
  const { engine, cold, read, text } = await scene();
  cold.put(id, 'good', 70);
  engine.gate.failNext('query', new TroughError('SEGMENT_DAMAGED', 'rotten'));
  await expect(read()).rejects.toEqual(code('SEGMENT_DAMAGED'));
  expect(await text()).toBe('good');
  expect(cold.fetches).toEqual([id, id]);
});

test('a deadline longer than the node allows is the longest that it allows', async () => {
  const { engine, copyOf, read } = await scene();
  copyOf('copied', 70);
  await read({ deadlineMs: 1_000_000 });
  await read({ deadlineMs: 10 });
  await read();
  expect(engine.queries.map(({ deadlineMs }) => deadlineMs)).toEqual([90_000, 10, 60_000]);
});

test('a read of a segment that is being opened here, or given away, waits until that is over', async () => {
  const { cluster, peers, underWay, text, hotWith } = await scene();
  await cluster.lease(id, { unpromoted: true });
  const opening = Promise.withResolvers<undefined>();
  underWay.now = opening.promise.then(() => undefined);
  const opened = text();
  hotWith('opened', () => Promise.resolve());
  opening.resolve(undefined);
  expect(await opened).toContain('opened');
  expect(peers.calls).toEqual([]);
});

test('reads are spread over the copies that are about as loaded, and go to one that is only to come when none serves', async () => {
  const { chance, cluster, peers, read } = await scene(['n2', 'n3'], ['n2', 'n3', 'n4']);
  const asked = new Set<string>();
  const draws = [0.9, 0.1, 0, 0.1, 0.9, 0];
  Object.defineProperty(chance, 'next', { get: () => draws.shift() ?? 0 });
  for (const load of [0.1, 0.2]) {
    cluster.beat('n2', { load });
    asked.add((await read()).node);
  }
  expect([...asked].sort()).toEqual(['n2', 'n3']);
  peers.down.add('n2').add('n3');
  await cluster.pass(6_000, ['n1', 'n4']);
  expect((await read()).node).toBe('n4');
});
