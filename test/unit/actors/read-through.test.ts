import { expect, test } from 'vitest';
import { ReadThrough } from '../../../src/actors/read-through.ts';
import { type LocalCopy } from '../../../src/messages/local-files.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { FakeColdStore } from '../../support/fake-cold-store.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { DAMAGED, FakeEngine } from '../../support/fake-engine.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const paths = dataPaths('/data');

function scene(limitBytes = 10) {
  const clock = new ManualClock();
  const disk = new FakeDisk();
  const engine = new FakeEngine(disk, clock);
  const cold = new FakeColdStore(disk, () => clock.now());
  const cache = new ReadThrough({ cold, disk, engine, paths, clock, limitBytes, freshMs: 5_000 });
  const ensure = (id: string, minVersion = 0, signal = new AbortController().signal): Promise<LocalCopy> =>
    cache.ensure(parseSegmentId(id), minVersion, signal);
  const kept = (): string[] => Array.from(disk.files.values()).sort();
  return { clock, disk, engine, cold, cache, ensure, kept };
}

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a segment is fetched once, and then served from here', async () => {
  const { cold, ensure, disk } = scene();
  cold.put('a', 'rows', 70);
  const first = await ensure('a');
  expect(first).toMatchObject({ version: 70, sizeBytes: 4 });
  expect(await ensure('a')).toMatchObject({ file: first.file, version: 70 });
  expect(cold.fetches).toEqual(['a']);
  expect(disk.names()).toEqual([first.file]);
});

test('many who ask at once share one fetch', async () => {
  const { cold, ensure } = scene();
  cold.put('a', 'rows', 70);
  const files = await Promise.all(Array.from({ length: 20 }, () => ensure('a')));
  expect(cold.fetches).toEqual(['a']);
  expect(new Set(files.map(({ file }) => file)).size).toBe(1);
});

test('an asker that gives up does not take the others with it', async () => {
  const { cold, ensure, clock } = scene();
  cold.put('a', 'rows', 70);
  const gate = cold.gate.holdNext('fetch');
  const leaving = new AbortController();
  const first = ensure('a', 0, leaving.signal).catch(() => 'gone');
  const second = ensure('a');
  await gate.reached;
  leaving.abort(new Error('the asker is gone'));
  await clock.advance(0);
  expect(await first).toBe('gone');
  expect(await second).toMatchObject({ version: 70 });
});

test('the least recently used goes when there is no room, and only then', async () => {
  const { cold, ensure, kept } = scene(10);
  for (const id of ['a', 'b', 'c']) cold.put(id, `rows${id}`, 70);
  await ensure('a');
  await ensure('b');
  expect(kept()).toEqual(['rowsa', 'rowsb']);
  await ensure('a');
  await ensure('c');
  expect(kept()).toEqual(['rowsa', 'rowsc']);
  await ensure('b');
  expect(cold.fetches).toEqual(['a', 'b', 'c', 'b']);
});

test('a file larger than all of the room is kept alone while it is the last one used', async () => {
  const { cold, ensure, kept } = scene(10);
  cold.put('small', 'rows', 70);
  cold.put('large', 'x'.repeat(50), 70);
  await ensure('small');
  await ensure('large');
  expect(kept()).toEqual(['x'.repeat(50)]);
  await ensure('small');
  expect(kept()).toEqual(['rows']);
});

test('a newer file in cold storage is noticed when the time of freshness is over', async () => {
  const { clock, cold, ensure, kept } = scene();
  cold.put('a', 'rows', 70);
  await ensure('a');
  cold.put('a', 'newer', 80);
  await clock.advance(5_000);
  expect(await ensure('a')).toMatchObject({ version: 70 });
  await clock.advance(1);
  expect(await ensure('a')).toMatchObject({ version: 80, sizeBytes: 5 });
  expect(kept()).toEqual(['newer']);
});

test('one that is unchanged is not fetched again, and is fresh once more', async () => {
  const { clock, cold, ensure } = scene();
  cold.put('a', 'rows', 70);
  await ensure('a');
  await clock.advance(6_000);
  await ensure('a');
  cold.gate.failNext('stat', new Error('must not be asked'));
  await clock.advance(5_000);
  await ensure('a');
  expect(cold.fetches).toEqual(['a']);
});

test('a version that is known to be newer is fetched at once', async () => {
  const { cold, ensure } = scene();
  cold.put('a', 'rows', 70);
  await ensure('a');
  cold.put('a', 'newer', 80);
  expect(await ensure('a', 80)).toMatchObject({ version: 80 });
  expect(await ensure('a', 75)).toMatchObject({ version: 80 });
  expect(cold.fetches).toEqual(['a', 'a']);
});

test('what cold storage does not have is missing, and leaves nothing', async () => {
  const { ensure, kept } = scene();
  await expect(ensure('a')).rejects.toEqual(code('COLD_MISSING'));
  expect(kept()).toEqual([]);
});

test('a damaged file is not kept', async () => {
  const { cold, ensure, kept } = scene(1_000);
  cold.put('a', DAMAGED, 70);
  await expect(ensure('a')).rejects.toEqual(code('SEGMENT_DAMAGED'));
  expect(kept()).toEqual([]);
  cold.put('a', 'good', 70);
  expect(await ensure('a')).toMatchObject({ sizeBytes: 4 });
});

test('what is dropped is fetched again, and makes room', async () => {
  const { cold, cache, ensure, kept } = scene();
  cold.put('a', 'rows', 70);
  await ensure('a');
  await cache.drop(parseSegmentId('a'));
  await cache.drop(parseSegmentId('never'));
  expect(kept()).toEqual([]);
  await ensure('a');
  expect(cold.fetches).toEqual(['a', 'a']);
});
