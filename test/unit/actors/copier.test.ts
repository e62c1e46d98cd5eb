import { expect, test } from 'vitest';
import { Copier, type CopierDeps } from '../../../src/actors/copies/copier.ts';
import { Inventory } from '../../../src/actors/copies/inventory.ts';
import { TroughError } from '../../../src/errors.ts';
import { type ManifestAnswer, type ManifestRow } from '../../../src/messages/control.ts';
import { type Assign } from '../../../src/messages/node-messages.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeCluster } from '../../support/fake-cluster.ts';
import { FakeColdStore, sha256Of } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { DAMAGED, FakeEngine } from '../../support/fake-engine.ts';
import { FakeInventoryDatabase } from '../../support/fake-inventory-database.ts';
import { recordingLog } from '../../support/recording-log.ts';

const paths = dataPaths('/data');
const A = parseSegmentId('a');
const B = parseSegmentId('b');

/** A copier on n1, with a leader whose manifest is what `manifest` says at that moment. */
async function scene(options: Partial<CopierDeps> = {}) {
  const cluster = new FakeCluster();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, cluster.clock);
  const cold = new FakeColdStore(disk, () => cluster.clock.now());
  const database = new FakeInventoryDatabase();
  const inventory = await Inventory.load(database, paths);
  const { log, lines } = recordingLog();
  const leader = {
    rows: [] as ManifestRow[],
    place: { term: 1, epoch: 1, sequence: 0 },
    asked: 0,
    answer(): Promise<ManifestAnswer> {
      return Promise.resolve({ ...this.place, rows: this.rows });
    },
  };
  const named = new Set<string>();
  const { clock, store } = cluster;
  const copier = new Copier({
    ...{ cold, disk, engine, paths, inventory, clock, log, store },
    random: () => 0,
    node: 'n1',
    parallel: 2,
    evictAfterMs: 60_000,
    manifest: () => {
      leader.asked += 1;
      return leader.answer();
    },
    stillNamed: (segment) => Promise.resolve(named.has(segment)),
    ...options,
  });
  const tick = async (ms = 0): Promise<void> => {
    await clock.advance(ms);
    await copier.receive({ kind: 'tick' });
    await cluster.settle();
  };
  const assign = async (changes: Partial<Assign>): Promise<void> => {
    const base = { term: 1, epoch: 1, sequence: 1, changed: [], shredded: [] };
    await copier.receive({ kind: 'assign', assign: { ...base, ...changes } });
    await cluster.settle();
  };
  /** What cold storage holds, as the leader names it. */
  const row = (id: string, content: string, version: number): ManifestRow => {
    cold.put(id, content, version);
    return { id, version, sizeBytes: content.length, sha256: sha256Of(content) };
  };
  const content = (id: string): string | undefined => disk.files.get(paths.copy(id));
  return { cluster, disk, engine, cold, database, inventory, lines, leader, named, copier, tick, assign, row, content };
}

test('it asks for the whole manifest at first, fetches what is in it, and is then complete', async () => {
  const { copier, inventory, leader, tick, row, content, disk } = await scene();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 71)];
  expect(copier.complete).toBeNull();
  await tick();
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
  expect(inventory.copy(A)).toEqual({ file: paths.copy('a'), version: 70, sizeBytes: 3 });
  expect({ count: inventory.count, bytes: inventory.storedBytes }).toEqual({ count: 2, bytes: 6 });
  expect({ pending: copier.pending, complete: copier.complete }).toEqual({
    pending: 0,
    complete: { term: 1, epoch: 1 },
  });
  expect(disk.names(paths.tmpDir)).toEqual([]);
});

test('it is complete only when every copy is there', async () => {
  const { cluster, copier, cold, leader, tick, row } = await scene();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 71)];
  const gate = cold.gate.holdNext('fetch');
  await tick();
  expect({ pending: copier.pending, complete: copier.complete }).toEqual({ pending: 1, complete: null });
  gate.open();
  await cluster.settle();
  expect(copier.complete).toEqual({ term: 1, epoch: 1 });
});

test('changes that the leader tells of are fetched without another manifest', async () => {
  const { leader, tick, assign, row, content, inventory } = await scene();
  await tick();
  await assign({ sequence: 1, changed: [row('a', 'one', 70)] });
  await assign({ sequence: 2, changed: [row('a', 'newer', 80), row('b', 'two', 71)] });
  await assign({ sequence: 2 });
  expect([content('a'), content('b')]).toEqual(['newer', 'two']);
  expect(inventory.record(A)).toMatchObject({ version: 80, sha256: sha256Of('newer'), sizeBytes: 5 });
  expect(leader.asked).toBe(1);
});

test('a message of an older version does not replace a newer copy', async () => {
  const { tick, assign, row, content, cold } = await scene();
  await tick();
  const older = row('a', 'older', 70);
  await assign({ sequence: 1, changed: [row('a', 'newer', 80)] });
  await assign({ sequence: 2, changed: [older] });
  expect(content('a')).toBe('newer');
  expect(cold.fetches).toEqual(['a']);
});

test('a gap in the numbers sends it to the manifest', async () => {
  const { leader, tick, assign, row, content } = await scene();
  await tick();
  leader.rows = [row('a', 'one', 70)];
  leader.place.sequence = 2;
  await assign({ sequence: 2, changed: [] });
  expect(content('a')).toBe('one');
  expect(leader.asked).toBe(2);
});

test('one message that was missed is noticed by the repeat of its number', async () => {
  const { leader, tick, assign, row, content } = await scene();
  await tick();
  leader.rows = [row('a', 'one', 70)];
  leader.place.sequence = 1;
  await assign({ sequence: 1, changed: [], shredded: [] });
  expect(content('a')).toBe('one');
});

test.each([{ term: 2 }, { epoch: 2 }])('%o sends it to the manifest, and it is complete for that', async (changes) => {
  const { copier, leader, tick, assign } = await scene();
  await tick();
  Object.assign(leader.place, changes);
  await assign({ sequence: 0, ...changes });
  expect(leader.asked).toBe(2);
  expect(copier.complete).toEqual({ term: 1, epoch: 1, ...changes });
});

test('a leader of an older term is not heard', async () => {
  const { leader, tick, assign, row, content } = await scene();
  leader.place.term = 5;
  await tick();
  await assign({ term: 4, sequence: 1, changed: [row('a', 'one', 70)] });
  expect(content('a')).toBeUndefined();
  expect(leader.asked).toBe(1);
});

test('a manifest that cannot be had is asked for again at the next tick', async () => {
  const { copier, leader, tick, row, content } = await scene();
  leader.rows = [row('a', 'one', 70)];
  const answer = leader.answer.bind(leader);
  leader.answer = () => Promise.reject(new TroughError('LEADER_UNKNOWN', 'nobody leads'));
  await tick();
  await tick(500);
  expect({ asked: leader.asked, complete: copier.complete }).toEqual({ asked: 2, complete: null });
  leader.answer = answer;
  await tick(500);
  expect(content('a')).toBe('one');
});

test('a manifest comes in pages, all of one epoch', async () => {
  const afters: (string | undefined)[] = [];
  const pages: ManifestAnswer[] = [
    { term: 1, epoch: 1, sequence: 4, rows: [{ id: 'a', version: 70, sizeBytes: 3, sha256: null }], next: '5:a' },
    { term: 1, epoch: 1, sequence: 6, rows: [{ id: 'b', version: 70, sizeBytes: 3, sha256: null }] },
  ];
  const { cold, tick, assign, row, content, copier } = await scene({
    manifest: (after) => {
      afters.push(after);
      const page = pages[after === undefined ? 0 : 1];
      return page === undefined ? Promise.reject(new Error('no such page')) : Promise.resolve(page);
    },
  });
  cold.put('a', 'one', 70);
  cold.put('b', 'two', 70);
  await tick();
  expect(afters).toEqual([undefined, '5:a']);
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
  await assign({ sequence: 5, changed: [row('c', 'tri', 70)] });
  expect({ asked: afters.length, complete: copier.complete }).toEqual({ asked: 2, complete: { term: 1, epoch: 1 } });
});

test('a change that comes while a manifest is read is not forgotten', async () => {
  const { cluster, copier, leader, cold, tick, assign, row, content } = await scene({ parallel: 1 });
  await tick();
  const held = Promise.withResolvers<ManifestAnswer>();
  leader.answer = () => held.promise;
  await assign({ sequence: 5 });
  const fetching = cold.gate.holdNext('fetch');
  leader.answer = () => Promise.resolve({ term: 1, epoch: 1, sequence: 1, rows: [row('a', 'one', 70), change] });
  const first = row('a', 'one', 70);
  const change = row('b', 'two', 70);
  await assign({ sequence: 1, changed: [first, change] });
  held.resolve({ term: 1, epoch: 1, sequence: 0, rows: [first] });
  await cluster.settle();
  fetching.open();
  await cluster.settle();
  await tick(500);
  expect({ b: content('b'), pending: copier.pending }).toEqual({ b: 'two', pending: 0 });
});

test('a copy that comes torn is never seen, and is tried again with growing rests', async () => {
  const { copier, cold, leader, lines, tick, row, content, disk } = await scene();
  leader.rows = [row('a', 'one', 70)];
  cold.put('a', 'oxe', 70);
  await tick();
  expect({ content: content('a'), tmp: disk.names(paths.tmpDir) }).toEqual({ content: undefined, tmp: [] });
  expect({ pending: copier.pending, complete: copier.complete }).toEqual({ pending: 1, complete: null });
  await tick(499);
  expect(cold.fetches).toHaveLength(1);
  await tick(1);
  await tick(999);
  expect(cold.fetches).toHaveLength(2);
  cold.put('a', 'one', 70);
  await tick(1);
  expect({ content: content('a'), complete: copier.complete }).toEqual({
    content: 'one',
    complete: { term: 1, epoch: 1 },
  });
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(2);
});

test('a file that is no sound database is never seen, although its length is right', async () => {
  const { cold, leader, tick, content, inventory } = await scene();
  cold.put('a', DAMAGED, 70);
  leader.rows = [{ id: 'a', version: 70, sizeBytes: DAMAGED.length, sha256: null }];
  await tick();
  expect([content('a'), inventory.copy(A)]).toEqual([undefined, undefined]);
});

test('a file of another length than was assigned is not taken', async () => {
  const { cold, leader, tick, content } = await scene();
  cold.put('a', 'changed meanwhile', 90);
  leader.rows = [{ id: 'a', version: 70, sizeBytes: 3, sha256: null }];
  await tick();
  expect(content('a')).toBeUndefined();
});

test('a copy that is found damaged is not served from then on, and is fetched again', async () => {
  const { cluster, copier, cold, inventory, leader, tick, row, content } = await scene();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  const gate = cold.gate.holdNext('fetch');
  await copier.receive({ kind: 'damaged', segment: A });
  await cluster.settle();
  expect([inventory.copy(A), content('a'), copier.complete]).toEqual([undefined, undefined, null]);
  gate.open();
  await cluster.settle();
  expect([content('a'), copier.complete]).toEqual(['one', { term: 1, epoch: 1 }]);
  await copier.receive({ kind: 'damaged', segment: B });
});

test('a copy is deleted as shredded only when the lease in the store says so', async () => {
  const { cluster, inventory, leader, tick, assign, row, content } = await scene();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  await tick();
  await cluster.lease('b', { state: 'shredded' });
  await assign({ sequence: 1, shredded: ['a'] });
  await assign({ sequence: 2, shredded: ['b'] });
  expect([content('a'), content('b')]).toEqual(['one', undefined]);
  expect([inventory.copy(A)?.version, inventory.copy(B)]).toEqual([70, undefined]);
});

test('a store that does not answer about a shredded segment does not fail the copier', async () => {
  const { cluster, copier, leader, tick, row, content, assign } = await scene();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  cluster.store.setReachable(false);
  const shredded = { term: 1, epoch: 1, sequence: 1, changed: [], shredded: ['a'] };
  await expect(copier.receive({ kind: 'assign', assign: shredded })).resolves.toBeUndefined();
  cluster.store.setReachable(true);
  await assign({ sequence: 1, changed: [row('b', 'two', 70)] });
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
});

test('what is no longer asked for is deleted after the grace time, when the stored placement agrees', async () => {
  const { leader, named, inventory, tick, assign, row, content } = await scene();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  await tick();
  named.add('b');
  leader.rows = [];
  leader.place.epoch = 2;
  await assign({ epoch: 2, sequence: 0 });
  await tick(59_999);
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
  await tick(1);
  expect([content('a'), content('b')]).toEqual([undefined, 'two']);
  expect(Array.from(inventory.ids())).toEqual(['b']);
});

test('what is asked for again within the grace time stays', async () => {
  const { leader, tick, assign, row, content } = await scene();
  const one = row('a', 'one', 70);
  leader.rows = [one];
  await tick();
  leader.rows = [];
  leader.place.epoch = 2;
  await assign({ epoch: 2, sequence: 0 });
  await tick(30_000);
  await assign({ epoch: 2, sequence: 1, changed: [one] });
  await tick(60_000);
  expect(content('a')).toBe('one');
});

test('a stop in the middle of a fetch leaves nothing half-made, and fetches no more', async () => {
  const { cluster, copier, cold, disk, leader, inventory, tick, row } = await scene({ parallel: 1 });
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  const gate = cold.gate.holdNext('fetch');
  await tick();
  const stopping = copier.stop();
  await cluster.settle();
  await stopping;
  gate.open();
  await cluster.settle();
  expect({ files: disk.names(), count: inventory.count, fetches: cold.fetches }).toEqual({
    files: [],
    count: 0,
    fetches: ['a'],
  });
});

test('a restart reads the inventory and fetches only what is not in it', async () => {
  const first = await scene();
  first.leader.rows = [first.row('a', 'one', 70)];
  await first.tick();
  const inventory = await Inventory.load(new FakeInventoryDatabase(first.database.rows), paths);
  expect({ count: inventory.count, bytes: inventory.storedBytes }).toEqual({ count: 1, bytes: 3 });
  expect(inventory.record(A)).toMatchObject({ version: 70, sha256: sha256Of('one') });
  const second = await scene({ inventory });
  second.leader.rows = [second.row('a', 'one', 70), second.row('b', 'two', 70)];
  await second.tick();
  expect(second.cold.fetches).toEqual(['b']);
});

test('a copy whose record could not be kept is not shown, and is fetched again', async () => {
  const { copier, database, inventory, leader, tick, row } = await scene();
  leader.rows = [row('a', 'one', 70)];
  database.gate.failNext('run', new TroughError('DISK_FULL', 'no room'));
  await tick();
  expect([inventory.copy(A), copier.complete]).toEqual([undefined, null]);
  await tick(500);
  expect(inventory.copy(A)?.version).toBe(70);
});
