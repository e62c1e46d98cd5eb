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

test('the placement is read once for all that is looked at at a time', async () => {
  const { placement, inventory, named, tick, disk } = await unasked(['a', 'b', 'c']);
  named.add('b');
  await tick(1);
  expect({ reads: placement.reads, left: Array.from(inventory.ids()) }).toEqual({ reads: 2, left: ['b'] });
  expect(disk.names('/data/segments')).toHaveLength(1);
  await tick(500);
  expect(placement.reads).toBe(2);
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
      if (asked !== 2) return Promise.resolve(() => false);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new TroughError('METADATA_UNREACHABLE', 'too late'));
        });
      });
    },
  });
  await tick(1);
  await tick(29_999);
  expect([asked, content('a')]).toEqual([2, 'of a']);
  await tick(1);
  await tick(500);
  expect([asked, content('a')]).toEqual([3, undefined]);
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
});

test('what is asked for again while the store is read stays', async () => {
  const answer = Promise.withResolvers<() => boolean>();
  let asked = 0;
  const { cluster, tick, assign, row, content } = await unasked(['a', 'b'], {
    namedNow: () => {
      asked += 1;
      return asked === 1 ? Promise.resolve(() => false) : answer.promise;
    },
  });
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
  const { cluster, inventory, tick } = await unasked(ids);
  expect(inventory.count).toBe(ids.length);
  await tick(1);
  for (let turn = 0; turn < 1_000 && inventory.count > 1; turn += 1) await cluster.settle();
  expect(inventory.count).toBe(1);
  await tick(60_000);
  for (let turn = 0; turn < 1_000 && inventory.count > 0; turn += 1) await cluster.settle();
  expect(inventory.count).toBe(0);
});

test('a file that cannot be removed does not keep the others', async () => {
  const { disk, tick, content, lines } = await unasked(['a', 'b']);
  disk.gate.failNext('remove', new TroughError('DATA_DIRECTORY_UNUSABLE', 'read-only'));
  await tick(1);
  expect([content('a'), content('b')]).toEqual(['of a', undefined]);
  expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
});

test('a copy that still serves when its grace time is over goes a whole grace time after it does not any more', async () => {
  const { named, tick, content } = await unasked(['a']);
  named.add('a');
  await tick(1);
  named.delete('a');
  await tick(60_000);
  await tick(59_999);
  expect(content('a')).toBe('of a');
  await tick(1);
  expect(content('a')).toBeUndefined();
});

test('a copy whose file vanished from cold storage stays, wherever it is placed now', async () => {
  const { cold, tick, content } = await unasked(['a', 'b']);
  cold.lose('a');
  await tick(1);
  await tick(600_000);
  expect([content('a'), content('b')]).toEqual(['of a', undefined]);
});

test('a copy whose file vanished goes when every node that it is placed on gives the very same bytes', async () => {
  const { cold, tick, content, peers, targets } = await unasked(['a']);
  targets.push('n2', 'n3');
  cold.lose('a');
  peers.set('n2 a', { version: 70, content: 'of a' });
  await tick(1);
  await tick(60_000);
  expect(content('a')).toBe('of a');
  peers.set('n3 a', { version: 70, content: 'of b' });
  await tick(60_000);
  expect(content('a')).toBe('of a');
  peers.set('n3 a', { version: 69, content: 'of a' });
  await tick(60_000);
  expect(content('a')).toBe('of a');
  peers.set('n3 a', { version: 70, content: 'of a' });
  await tick(60_000);
  expect(content('a')).toBeUndefined();
});

test('a copy of a shredded segment goes also when the word of it was lost, and the placement still names its slot', async () => {
  const { cluster, cold, named, tick, content } = await unasked(['a', 'b']);
  named.add('a').add('b');
  cold.lose('a');
  await cluster.lease('a', { state: 'shredded' });
  await tick(1);
  expect([content('a'), content('b')]).toEqual([undefined, 'of b']);
});

test('a copy that arrives when it is no longer asked for goes like the others, after the grace time', async () => {
  const { cluster, cold, leader, tick, assign, row, content, inventory } = await copying();
  leader.rows = [row('a', 'one', 70)];
  const gate = cold.gate.holdNext('fetch');
  await tick();
  leader.rows = [];
  leader.place.epoch = 2;
  await assign({ epoch: 2, sequence: 0 });
  gate.open();
  await cluster.settle();
  expect(content('a')).toBe('one');
  await tick(500);
  await tick(60_000);
  await tick(500);
  expect([content('a'), inventory.count]).toEqual([undefined, 0]);
});

test('a copy that a message calls unasked goes when the documents agree, after the grace time, and not before', async () => {
  const { leader, named, tick, assign, row, content } = await copying();
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  await tick();
  named.add('b');
  await assign({ sequence: 1, unasked: ['a', 'b', 'never-heard-of'] });
  await tick(500);
  await tick(59_000);
  expect([content('a'), content('b')]).toEqual(['one', 'two']);
  await tick(1_000);
  expect([content('a'), content('b')]).toEqual([undefined, 'two']);
});

test('a copy that is asked for again after it was unasked stays, and one that was to come does not come', async () => {
  const { leader, cold, tick, assign, row, content, copier } = await copying();
  const a = row('a', 'one', 70);
  leader.rows = [a];
  await tick();
  await assign({ sequence: 1, unasked: ['a'] });
  await assign({ sequence: 2, changed: [a] });
  await tick(120_000);
  expect(content('a')).toBe('one');
  const b = row('b', 'two', 70);
  await cold.remove(B);
  await assign({ sequence: 3, changed: [b] });
  expect(copier.wantedOf(B)).not.toBeNull();
  await assign({ sequence: 4, unasked: ['b'] });
  expect(copier.wantedOf(B)).toBeNull();
});

test('copies that are not asked for stay while further places are to come here, and what comes again is not fetched again', async () => {
  const { cold, leader, named, tick, assign, content } = await unasked(['a', 'b']);
  const rows = ['a', 'b'].map((id) => ({ id, version: 70, sizeBytes: 4, sha256: null }));
  const fetches = cold.fetches.length;
  await assign({ epoch: 2, sequence: 0, more: true });
  await tick(600_000);
  expect([content('a'), content('b')]).toEqual(['of a', 'of b']);
  named.add('a');
  leader.rows = rows.slice(0, 1);
  leader.place.epoch = 3;
  await assign({ epoch: 3, sequence: 0 });
  await tick(500);
  await tick(60_000);
  expect([content('a'), content('b'), cold.fetches.length]).toEqual(['of a', undefined, fetches]);
});

test('a disk that has no room for what is asked for gets it from what is not', async () => {
  const { tick, assign, row, content } = await unasked(['a']);
  await assign({ epoch: 2, sequence: 0, more: true });
  await assign({ epoch: 2, sequence: 1, changed: [{ ...row('b', 'two', 70), sizeBytes: 1e9 }], more: true });
  await tick(60_000);
  expect(content('a')).toBeUndefined();
});
