import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type ManifestAnswer } from '../../../src/messages/control.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { paths, A, copying } from './copier-fixture.ts';

test('it asks for the whole manifest at first, fetches what is in it, and is then complete', async () => {
  const { copier, inventory, leader, tick, row, content, disk } = await copying();
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
  const { cluster, copier, cold, leader, tick, row } = await copying();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 71)];
  const gate = cold.gate.holdNext('fetch');
  await tick();
  expect({ pending: copier.pending, complete: copier.complete }).toEqual({ pending: 1, complete: null });
  gate.open();
  await cluster.settle();
  expect(copier.complete).toEqual({ term: 1, epoch: 1 });
});

test('changes that the leader tells of are fetched without another manifest', async () => {
  const { leader, tick, assign, row, content, inventory } = await copying();
  await tick();
  await assign({ sequence: 1, changed: [row('a', 'one', 70)] });
  await assign({ sequence: 2, changed: [row('a', 'newer', 80), row('b', 'two', 71)] });
  await assign({ sequence: 2 });
  expect([content('a'), content('b')]).toEqual(['newer', 'two']);
  expect(await inventory.record(A)).toMatchObject({ version: 80, sha256: sha256Of('newer'), sizeBytes: 5 });
  expect(leader.asked).toBe(1);
});

test('a message of an older version does not replace a newer copy', async () => {
  const { tick, assign, row, content, cold } = await copying();
  await tick();
  const older = row('a', 'older', 70);
  await assign({ sequence: 1, changed: [row('a', 'newer', 80)] });
  await assign({ sequence: 2, changed: [older] });
  expect(content('a')).toBe('newer');
  expect(cold.fetches).toEqual(['a']);
});

test('a gap in the numbers sends it to the manifest', async () => {
  const { leader, tick, assign, row, content } = await copying();
  await tick();
  leader.rows = [row('a', 'one', 70)];
  leader.place.sequence = 2;
  await assign({ sequence: 2, changed: [] });
  expect(content('a')).toBe('one');
  expect(leader.asked).toBe(2);
});

test('one message that was missed is noticed by the repeat of its number', async () => {
  const { leader, tick, assign, row, content } = await copying();
  await tick();
  leader.rows = [row('a', 'one', 70)];
  leader.place.sequence = 1;
  await assign({ sequence: 1, changed: [], shredded: [] });
  expect(content('a')).toBe('one');
});

test.each([{ term: 2 }, { epoch: 2 }])('%o sends it to the manifest, and it is complete for that', async (changes) => {
  const { copier, leader, tick, assign } = await copying();
  await tick();
  Object.assign(leader.place, changes);
  await assign({ sequence: 0, ...changes });
  expect(leader.asked).toBe(2);
  expect(copier.complete).toEqual({ term: 1, epoch: 1, ...changes });
});

test('a leader of an older term is not heard', async () => {
  const { leader, tick, assign, row, content } = await copying();
  leader.place.term = 5;
  await tick();
  await assign({ term: 4, sequence: 1, changed: [row('a', 'one', 70)] });
  expect(content('a')).toBeUndefined();
  expect(leader.asked).toBe(1);
});

test('a manifest that cannot be had is asked for again at the next tick', async () => {
  const { copier, leader, tick, row, content } = await copying();
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
  const { cold, tick, assign, row, content, copier } = await copying({
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
  const { cluster, copier, leader, cold, tick, assign, row, content } = await copying({ parallel: 1 });
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
