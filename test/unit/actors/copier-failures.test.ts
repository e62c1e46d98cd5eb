import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { DAMAGED } from '../../support/fake-engine.ts';
import { type LogLine } from '../../support/recording-log.ts';
import { A, copying } from './copier-fixture.ts';

type Scene = Awaited<ReturnType<typeof copying>>;

const SPACE = { totalBytes: 1_000_000, freeBytes: 50_002 };

function errors(lines: readonly LogLine[]): unknown[] {
  return lines.filter(({ level }) => level === 50).map(({ segment }) => segment);
}

/** Three tries, the rests between them over. */
async function threeTries({ tick }: Scene): Promise<void> {
  await tick();
  await tick(500);
  await tick(1_000);
}

test.each([
  [
    'lost',
    (scene: Scene) => {
      scene.cold.lose('a');
    },
  ],
  ['torn', (scene: Scene) => scene.cold.put('a', 'oxe', 70)],
  ['no database', (scene: Scene) => (scene.leader.rows[0] = scene.row('a', DAMAGED, 70))],
])('a file that is %s in cold storage is set aside after three tries, and holds nothing up', async (_how, spoil) => {
  const scene = await copying();
  const { copier, leader, row, content, lines } = scene;
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  spoil(scene);
  await scene.tick();
  await scene.tick(500);
  expect({ pending: copier.pending, complete: copier.complete }).toEqual({ pending: 1, complete: null });
  await scene.tick(1_000);
  expect({ pending: copier.pending, unfetchable: copier.unfetchable }).toEqual({ pending: 0, unfetchable: 1 });
  expect(copier.unfetchableOne).toMatchObject({ segment: 'a', code: scene.copier.wantedOf(A)?.failure?.code });
  expect(copier.complete).toEqual({ term: 1, epoch: 1 });
  expect([content('a'), content('b')]).toEqual([undefined, 'two']);
  await scene.tick(60_000);
  expect(errors(lines)).toEqual(['a']);
});

test('what is set aside is tried again after rests of at most ten minutes, and counts again when it comes', async () => {
  const scene = await copying();
  const { copier, cold, leader, row, tick, content } = scene;
  leader.rows = [row('a', 'one', 70)];
  cold.lose('a');
  await threeTries(scene);
  for (let tries = 0; tries < 12; tries += 1) await tick(600_000);
  const before = cold.fetches.length;
  await tick(599_999);
  expect(cold.fetches).toHaveLength(before);
  cold.put('a', 'one', 70);
  await tick(1);
  expect({ content: content('a'), unfetchable: copier.unfetchable, pending: copier.pending }).toEqual({
    content: 'one',
    unfetchable: 0,
    pending: 0,
  });
});

test('a new version of what was set aside is fetched at once, and waited for', async () => {
  const scene = await copying();
  const { cluster, copier, cold, leader, row, assign, content } = scene;
  leader.rows = [row('a', 'one', 70)];
  cold.lose('a');
  await threeTries(scene);
  const gate = cold.gate.holdNext('fetch');
  await assign({ sequence: 1, changed: [row('a', 'newer', 80)] });
  expect([copier.pending, copier.unfetchable, copier.complete]).toEqual([1, 0, null]);
  gate.open();
  await cluster.settle();
  expect([content('a'), copier.pending]).toEqual(['newer', 0]);
});

test('what was set aside and is not asked for any more is not counted', async () => {
  const scene = await copying();
  const { copier, cold, leader, row, assign } = scene;
  leader.rows = [row('a', 'one', 70)];
  cold.lose('a');
  await threeTries(scene);
  leader.rows = [];
  leader.place.epoch = 2;
  await assign({ epoch: 2, sequence: 0 });
  expect([copier.pending, copier.unfetchable]).toEqual([0, 0]);
});

test('cold storage that cannot be reached sets nothing aside', async () => {
  const { copier, cold, leader, row, tick } = await copying();
  leader.rows = [row('a', 'one', 70)];
  for (let tries = 0; tries < 5; tries += 1) cold.gate.failNext('fetch', new TroughError('COLD_FAILED', 'no route'));
  for (let tries = 0; tries < 5; tries += 1) await tick(10_000);
  expect(cold.fetches).toHaveLength(5);
  expect([copier.pending, copier.unfetchable, copier.complete]).toEqual([1, 0, null]);
});

test('the failures of one segment are not forgotten over the success of another', async () => {
  const { cold, leader, row, tick, assign } = await copying();
  leader.rows = [row('a', 'one', 70)];
  cold.lose('a');
  await tick();
  await tick(500);
  await assign({ sequence: 1, changed: [row('b', 'two', 70)] });
  await tick(500);
  expect(cold.fetches).toEqual(['a', 'a', 'b']);
  await tick(500);
  expect(cold.fetches).toEqual(['a', 'a', 'b', 'a']);
  await tick(1_999);
  expect(cold.fetches).toHaveLength(4);
});

test('a copy for which the disk has no room is not begun, is waited for, and said once a minute', async () => {
  const { copier, cold, disk, leader, row, tick, content, lines } = await copying();
  disk.space = () => Promise.resolve(SPACE);
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  for (let passed = 0; passed < 59_000; passed += 500) await tick(500);
  expect({ fetches: cold.fetches, pending: copier.pending }).toEqual({ fetches: [], pending: 2 });
  expect(lines.filter(({ level }) => level >= 40)).toMatchObject([{ level: 50, err: { code: 'DISK_FULL' } }]);
  disk.space = () => Promise.resolve({ ...SPACE, freeBytes: 60_000 });
  await tick(60_000);
  expect([content('a'), content('b'), copier.pending]).toEqual(['one', 'two', 0]);
});

test('fetches that run side by side do not take the same room', async () => {
  const { cluster, cold, disk, leader, inventory, row, tick } = await copying();
  disk.space = () => Promise.resolve({ ...SPACE, freeBytes: 50_005 });
  leader.rows = [row('a', 'one', 70), row('b', 'two', 70)];
  const gate = cold.gate.holdNext('fetch');
  await tick();
  expect(cold.fetches).toEqual(['a']);
  gate.open();
  await cluster.settle();
  await tick(500);
  expect([inventory.copy(A)?.version, cold.fetches]).toEqual([70, ['a', 'b']]);
});
