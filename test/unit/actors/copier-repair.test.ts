import { expect, test } from 'vitest';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { A, B, copying, paths } from './copier-fixture.ts';

test('a copy that is found damaged is not served from then on, and is fetched again', async () => {
  const { cluster, copier, cold, inventory, leader, tick, row, content, events } = await copying();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  const gate = cold.gate.holdNext('fetch');
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'read' });
  await cluster.settle();
  expect([inventory.copy(A), copier.complete, copier.repairs.pending]).toEqual([undefined, null, 1]);
  gate.open();
  await cluster.settle();
  expect([content('a'), copier.complete, copier.repairs.pending]).toEqual(['one', { term: 1, epoch: 1 }, 0]);
  await copier.receive({ kind: 'damaged', segment: B, foundBy: 'read' });
  expect(events).toEqual([
    { kind: 'copy-damaged', node: 'n1', segment: 'a', version: 70, foundBy: 'read' },
    { kind: 'copy-replaced', node: 'n1', segment: 'a', version: 70, from: 'cold' },
  ]);
});

test('a damaged copy keeps its file until a sound one replaces it', async () => {
  const { copier, cold, leader, tick, row, content, disk, named } = await copying();
  leader.rows = [row('a', 'one', 70)];
  named.add('a');
  await tick();
  disk.files.set(paths.copy('a'), 'o?e');
  cold.lose('a');
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'scrub', version: 70 });
  await tick(500);
  expect([content('a'), copier.pending]).toEqual(['o?e', 1]);
  cold.put('a', 'one', 70);
  await tick(2_000);
  expect([content('a'), copier.pending]).toEqual(['one', 0]);
});

test('what was found of an older version is not held against a newer copy', async () => {
  const { copier, inventory, leader, tick, row } = await copying();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'scrub', version: 69 });
  expect(inventory.copy(A)?.version).toBe(70);
});

test('a copy that cold storage lacks comes from another node that has it', async () => {
  const { copier, cold, leader, tick, row, content, disk, inventory, named, peers, events } = await copying();
  leader.rows = [row('a', 'one', 70)];
  named.add('a');
  await tick();
  disk.files.set(paths.copy('a'), 'o?e');
  cold.lose('a');
  // The leader does not name it any more either: it vanished.
  leader.rows = [];
  peers.set('n2 a', { version: 70, content: 'oxx' });
  peers.set('n3 a', { version: 70, content: 'one' });
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'scrub' });
  await copier.receive({ kind: 'compare' });
  await tick();
  expect([content('a'), (await inventory.record(A))?.sha256]).toEqual(['one', sha256Of('one')]);
  expect(events.at(-1)).toMatchObject({ kind: 'copy-replaced', from: 'node' });
  expect(copier.repairs.replaced).toEqual({ cold: 0, node: 1 });
  expect(disk.names(paths.tmpDir)).toEqual([]);
});

test('a shredded segment, or one that is not to be here, does not come from another node', async () => {
  const { cluster, copier, cold, leader, tick, row, inventory, named, peers } = await copying();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  await tick();
  named.add('a');
  await cluster.lease('a', { state: 'shredded' });
  cold.lose('a');
  cold.lose('b');
  peers.set('n2 a', { version: 70, content: 'one' });
  peers.set('n2 b', { version: 70, content: 'two' });
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'read' });
  await copier.receive({ kind: 'damaged', segment: B, foundBy: 'read' });
  await tick();
  expect([inventory.copy(A), inventory.copy(B), copier.pending]).toEqual([undefined, undefined, 0]);
});

test('a copy with the right number and another content is replaced when the leader names what it should be', async () => {
  const { copier, leader, tick, row, content, inventory, events } = await copying();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  leader.rows = [row('a', 'other', 70)];
  await copier.receive({ kind: 'compare' });
  await tick();
  expect([content('a'), (await inventory.record(A))?.sha256]).toEqual(['other', sha256Of('other')]);
  expect(events[0]).toMatchObject({ kind: 'copy-damaged', foundBy: 'manifest' });
});

test('a file without a record, of a segment that nobody names, is fetched as another node has it', async () => {
  const { copier, tick, content, inventory, disk, named, peers } = await copying();
  await tick();
  named.add('a');
  disk.files.set(paths.copy('a'), 'whatever');
  peers.set('n2 a', { version: 70, content: 'one' });
  await copier.receive({ kind: 'unrecorded', segment: A, aside: '/data/lost+found/a' });
  await tick();
  expect([content('a'), inventory.copy(A)?.version]).toEqual(['one', 70]);
});

test('a file without a record that nobody knows of is moved away, once the manifest was read', async () => {
  const { copier, tick, content, disk } = await copying();
  disk.files.set(paths.copy('a'), 'whatever');
  await copier.receive({ kind: 'unrecorded', segment: A, aside: '/data/lost+found/a' });
  expect(content('a')).toBe('whatever');
  await tick();
  await copier.receive({ kind: 'unrecorded', segment: A, aside: '/data/lost+found/a' });
  expect([content('a'), disk.files.get('/data/lost+found/a')]).toEqual([undefined, 'whatever']);
});

test('a damaged copy that is not asked for any more is not fetched again', async () => {
  const { copier, cold, leader, tick, assign, row } = await copying();
  leader.rows = [row('a', 'one', 70)];
  await tick();
  leader.rows = [];
  leader.place.epoch = 2;
  await assign({ epoch: 2, sequence: 0 });
  await copier.receive({ kind: 'damaged', segment: A, foundBy: 'read' });
  await tick();
  expect([cold.fetches, copier.pending, copier.repairs.pending]).toEqual([['a'], 0, 0]);
});
