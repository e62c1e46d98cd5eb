import { expect, test } from 'vitest';
import { Inventory } from '../../../src/actors/copies/inventory.ts';
import { TroughError } from '../../../src/errors.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { DAMAGED } from '../../support/fake-engine.ts';
import { FakeInventoryDatabase } from '../../support/fake-inventory-database.ts';
import { paths, A, B, copying } from './copier-fixture.ts';

test('a copy that comes torn is never seen, and is tried again with growing rests', async () => {
  const { copier, cold, leader, lines, tick, row, content, disk } = await copying();
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
  const { cold, leader, tick, content, inventory } = await copying();
  cold.put('a', DAMAGED, 70);
  leader.rows = [{ id: 'a', version: 70, sizeBytes: DAMAGED.length, sha256: null }];
  await tick();
  expect([content('a'), inventory.copy(A)]).toEqual([undefined, undefined]);
});

test('a file of another length than was assigned is not taken', async () => {
  const { cold, leader, tick, content } = await copying();
  cold.put('a', 'changed meanwhile', 90);
  leader.rows = [{ id: 'a', version: 70, sizeBytes: 3, sha256: null }];
  await tick();
  expect(content('a')).toBeUndefined();
});

test('a copy is deleted as shredded only when the lease in the store says so', async () => {
  const { cluster, inventory, leader, tick, assign, row, content } = await copying();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  await tick();
  await cluster.lease('b', { state: 'shredded' });
  await assign({ sequence: 1, shredded: ['a'] });
  await assign({ sequence: 2, shredded: ['b'] });
  expect([content('a'), content('b')]).toEqual(['one', undefined]);
  expect([inventory.copy(A)?.version, inventory.copy(B)]).toEqual([70, undefined]);
});

test('a store that does not answer about a shredded segment does not fail the copier', async () => {
  const { cluster, copier, leader, tick, row, content, assign } = await copying();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  cluster.store.setReachable(false);
  const shredded = { term: 1, epoch: 1, sequence: 1, changed: [], shredded: ['a'], unasked: [], more: false };
  await expect(copier.receive({ kind: 'assign', assign: shredded })).resolves.toBeUndefined();
  cluster.store.setReachable(true);
  await assign({ sequence: 1, changed: [row('b', 'two', 70)] });
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
});

test('what is no longer asked for is deleted after the grace time, when the stored placement agrees', async () => {
  const { leader, named, inventory, tick, assign, row, content } = await copying();
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
  const { leader, tick, assign, row, content } = await copying();
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
  const { cluster, copier, cold, disk, leader, inventory, tick, row } = await copying({ parallel: 1 });
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
  const first = await copying();
  first.leader.rows = [first.row('a', 'one', 70)];
  await first.tick();
  const inventory = await Inventory.load(new FakeInventoryDatabase(first.database.rows), paths);
  expect({ count: inventory.count, bytes: inventory.storedBytes }).toEqual({ count: 1, bytes: 3 });
  expect(await inventory.record(A)).toMatchObject({ version: 70, sha256: sha256Of('one') });
  const second = await copying({ inventory });
  second.leader.rows = [second.row('a', 'one', 70), second.row('b', 'two', 70)];
  await second.tick();
  expect(second.cold.fetches).toEqual(['b']);
});

test('a copy whose record could not be kept is not shown, and is fetched again', async () => {
  const { copier, database, inventory, leader, tick, row } = await copying();
  leader.rows = [row('a', 'one', 70)];
  database.gate.failNext('run', new TroughError('DISK_FULL', 'no room'));
  await tick();
  expect([inventory.copy(A), copier.complete]).toEqual([undefined, null]);
  await tick(500);
  expect(inventory.copy(A)?.version).toBe(70);
});
