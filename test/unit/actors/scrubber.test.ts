import { expect, test } from 'vitest';
import { Scrubber, type ScrubberNews } from '../../../src/actors/copies/scrubber.ts';
import { TroughError } from '../../../src/errors.ts';
import { parseSegmentId, type SegmentId } from '../../../src/model/segment-id.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { A, B, copying, paths } from './copier-fixture.ts';

const HOUR = 3_600_000;

async function scrubbing(ids: readonly SegmentId[], periodMs = 10 * HOUR) {
  const scene = await copying();
  const { cluster, disk, inventory } = scene;
  const { clock } = cluster;
  for (const id of ids) {
    disk.files.set(paths.copy(id), `of ${id}`);
    const content = `of ${id}`;
    await inventory.add({
      id,
      version: 70,
      sizeBytes: content.length,
      sha256: sha256Of(content),
      verifiedMs: clock.now(),
    });
  }
  const news: ScrubberNews[] = [];
  const busy = new Set<SegmentId>();
  const scrubber = new Scrubber({
    ...{ clock, disk, paths, inventory, periodMs },
    log: scene.log,
    isBusy: (id) => busy.has(id),
    emit: (item) => news.push(item),
  });
  const pass = async (ms: number, steps = 10): Promise<void> => {
    for (let step = 0; step < steps; step += 1) {
      await clock.advance(ms / steps);
      scrubber.receive();
      await cluster.settle();
    }
  };
  /** Said again in each round, as nobody acts on it here. */
  const damaged = (): SegmentId[] => [
    ...new Set(news.flatMap((item) => (item.kind === 'damaged' ? [item.segment] : []))),
  ];
  return { ...scene, scrubber, news, busy, pass, damaged, clock };
}

test('every copy is read again within the period, and its time is kept', async () => {
  const { pass, scrubber, inventory, clock, damaged } = await scrubbing([A, B]);
  const since = clock.now();
  await pass(4 * HOUR);
  expect(scrubber.counts.copies).toBe(0);
  await pass(5 * HOUR, 50);
  expect(scrubber.counts).toEqual({ copies: 2, bytes: 8 });
  for (const id of [A, B]) expect((await inventory.record(id))?.verifiedMs).toBeGreaterThan(since + 5 * HOUR - 1);
  expect(damaged()).toEqual([]);
});

test.each([
  ['a bit that turned over', 'of b', [A]],
  ['a file that is shorter', 'of', [A]],
])('%s is found', async (_what, content, found) => {
  const { pass, disk, damaged, news } = await scrubbing([A, B]);
  disk.files.set(paths.copy(A), content);
  await pass(6 * HOUR, 60);
  expect(damaged()).toEqual(found);
  expect(news[0]).toEqual({ kind: 'damaged', segment: 'a', version: 70, foundBy: 'scrub' });
});

test('a file that is gone is found', async () => {
  const { pass, disk, damaged } = await scrubbing([A]);
  disk.files.delete(paths.copy(A));
  await pass(6 * HOUR, 60);
  expect(damaged()).toContain('a');
});

test('a disk that fails for a moment makes no copy a damaged one', async () => {
  const { pass, disk, damaged, scrubber } = await scrubbing([A]);
  disk.gate.failNext('digest', new TroughError('DATA_DIRECTORY_UNUSABLE', 'too many open files'));
  await pass(6 * HOUR, 60);
  expect([damaged(), scrubber.counts.copies]).toEqual([[], 1]);
});

test('a copy that is replaced while it is read is not called damaged', async () => {
  const { pass, disk, damaged, inventory } = await scrubbing([A]);
  const gate = disk.gate.holdNext('digest');
  const passing = pass(6 * HOUR, 60);
  await gate.reached;
  disk.files.set(paths.copy(A), 'newer');
  await inventory.add({ id: A, version: 80, sizeBytes: 5, sha256: sha256Of('newer'), verifiedMs: 0 });
  gate.open();
  await passing;
  expect([damaged(), (await inventory.record(A))?.version]).toEqual([[], 80]);
});

test('what is being fetched is left alone', async () => {
  const { pass, disk, damaged, busy } = await scrubbing([A]);
  busy.add(A);
  disk.files.set(paths.copy(A), 'half');
  await pass(6 * HOUR, 60);
  expect(damaged()).toEqual([]);
});

test('a period of 0 reads nothing', async () => {
  const { pass, scrubber } = await scrubbing([A], 0);
  await pass(100 * HOUR);
  expect(scrubber.counts.copies).toBe(0);
});

test('it reads as fast as all that is stored needs, and what the leader names is compared once in half a period', async () => {
  const { scrubber, inventory, pass, news } = await scrubbing([A], HOUR);
  const sizeBytes = 3_600_000_000;
  await inventory.add({ id: parseSegmentId('big'), version: 1, sizeBytes, sha256: '', verifiedMs: Date.now() });
  expect(scrubber.bytesPerSecond).toBeCloseTo(2_000_000, -3);
  await inventory.remove([parseSegmentId('big')]);
  await pass(HOUR, 60);
  expect(news.filter(({ kind }) => kind === 'compare').length).toBeOneOf([1, 2]);
});

test('a stop ends what is being read', async () => {
  const { scrubber, disk, clock, cluster, news } = await scrubbing([A]);
  const gate = disk.gate.holdNext('digest');
  await clock.advance(6 * HOUR);
  scrubber.receive();
  await gate.reached;
  await scrubber.stop();
  gate.open();
  await cluster.settle();
  expect(news).toEqual([]);
});
