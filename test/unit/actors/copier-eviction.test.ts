import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type CopierDeps } from '../../../src/actors/copies/copier.ts';
import { A, B, copying } from './copier-fixture.ts';

/** Copies of every id given, none of which is asked for any more; the grace time is about to end. */
async function unasked(ids: readonly string[], options: Partial<CopierDeps> = {}) {
  const scene = await copying(options);
  scene.leader.rows = ids.map((id) => scene.row(id, `of ${id}`, 70));
  await scene.tick();
  scene.leader.rows = [];
  scene.leader.place.epoch = 2;
  await scene.assign({ epoch: 2, sequence: 0 });
  await scene.tick(59_999);
  return scene;
}

test('the placement is read once for all that is evicted at a time', async () => {
  const { placement, inventory, named, tick, disk } = await unasked(['a', 'b', 'c']);
  named.add('b');
  await tick(1);
  expect({ reads: placement.reads, left: Array.from(inventory.ids()) }).toEqual({ reads: 1, left: ['b'] });
  expect(disk.names('/data/segments')).toHaveLength(1);
  await tick(500);
  expect(placement.reads).toBe(1);
});

test('what is assigned does not wait for an eviction', async () => {
  const { tick, assign, row, content } = await unasked(['a'], { namedNow: () => new Promise(() => undefined) });
  await tick(1);
  await assign({ epoch: 2, sequence: 1, changed: [row('b', 'two', 70)] });
  expect([content('a'), content('b')]).toEqual(['of a', 'two']);
});

test('a store that does not answer in time evicts nothing, and is asked again', async () => {
  let asked = 0;
  const { tick, content, lines } = await unasked(['a'], {
    namedNow: (signal) => {
      asked += 1;
      if (asked > 1) return Promise.resolve(() => false);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new TroughError('METADATA_UNREACHABLE', 'too late'));
        });
      });
    },
  });
  await tick(1);
  await tick(29_999);
  expect([asked, content('a')]).toEqual([1, 'of a']);
  await tick(1);
  await tick(500);
  expect([asked, content('a')]).toEqual([2, undefined]);
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
});

test('what is asked for again while the store is read stays', async () => {
  const answer = Promise.withResolvers<() => boolean>();
  const { cluster, tick, assign, row, content } = await unasked(['a', 'b'], { namedNow: () => answer.promise });
  await tick(1);
  await assign({ epoch: 2, sequence: 1, changed: [row('a', 'of a', 70)] });
  answer.resolve(() => false);
  await cluster.settle();
  expect([content('a'), content('b')]).toEqual(['of a', undefined]);
});

test('what is asked for again while its file is removed is fetched after that', async () => {
  const { cluster, cold, disk, inventory, tick, assign, row, content } = await unasked(['a', 'b']);
  const gate = disk.gate.holdNext('remove');
  await tick(1);
  await assign({ epoch: 2, sequence: 1, changed: [row('b', 'newer', 80)] });
  expect([cold.fetches, inventory.copy(A), inventory.copy(B)]).toEqual([['a', 'b'], undefined, undefined]);
  gate.open();
  await cluster.settle();
  expect([content('a'), content('b'), inventory.copy(B)?.version]).toEqual([undefined, 'newer', 80]);
});

test('at most a thousand copies go at a time', async () => {
  const ids = Array.from({ length: 1_001 }, (_, number) => `s${String(number)}`);
  const { cluster, copier, inventory, placement, tick } = await unasked(ids);
  expect(inventory.count).toBe(ids.length);
  await tick(1);
  for (let turn = 0; turn < 1_000 && inventory.count > 1; turn += 1) await cluster.settle();
  expect([inventory.count, placement.reads]).toEqual([1, 1]);
  await copier.receive({ kind: 'tick' });
  for (let turn = 0; turn < 1_000 && inventory.count > 0; turn += 1) await cluster.settle();
  expect([inventory.count, placement.reads]).toEqual([0, 2]);
});

test('a file that cannot be removed does not keep the others', async () => {
  const { disk, tick, content, lines } = await unasked(['a', 'b']);
  disk.gate.failNext('remove', new TroughError('DATA_DIRECTORY_UNUSABLE', 'read-only'));
  await tick(1);
  expect([content('a'), content('b')]).toEqual(['of a', undefined]);
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
});
