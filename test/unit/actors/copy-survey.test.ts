import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CopySurvey, type CopySurveyNews } from '../../../src/actors/copies/copy-survey.ts';
import { LostFiles } from '../../../src/actors/copies/lost-files.ts';
import { parseSegmentId, type SegmentId } from '../../../src/model/segment-id.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { A, B, copying, paths } from './copier-fixture.ts';

const HOUR = 3_600_000;
const C = parseSegmentId('c');

async function surveying(options: { readonly keepMs?: number } = {}) {
  const scene = await copying();
  const { cluster, disk, inventory, cold, copier, named } = scene;
  const { clock } = cluster;
  const shredded = new Set<SegmentId>();
  const lost = new LostFiles({
    ...{ clock, disk, paths, cold, inventory, log: scene.log },
    keepMs: options.keepMs ?? 24 * HOUR,
    shredded: (id) => Promise.resolve(shredded.has(id)),
  });
  const news: CopySurveyNews[] = [];
  const survey = new CopySurvey({
    ...{ clock, disk, paths, inventory, lost, log: scene.log },
    intervalMs: HOUR,
    namedNow: () => Promise.resolve((id) => named.has(id)),
    isBusy: (id) => copier.isBusy(id),
    setAside: (id, to) => copier.setAside(id, to),
    emit: (item) => news.push(item),
  });
  const look = async (ms = HOUR): Promise<void> => {
    for (let step = 0; step < 20; step += 1) {
      await clock.advance(ms / 20);
      survey.receive();
      await cluster.settle();
    }
  };
  const copy = async (id: SegmentId): Promise<void> => {
    const content = `of ${id}`;
    disk.files.set(paths.copy(id), content);
    await inventory.add({ id, version: 70, sizeBytes: content.length, sha256: sha256Of(content), verifiedMs: 0 });
  };
  const inLost = (): string[] => disk.names(paths.lostCopiesDir).map((file) => file.replace(/^.*\d+\./, ''));
  return { ...scene, survey, lost, news, look, copy, shredded, clock, inLost };
}

test('copies that are there stay, and a file that nobody asked for is moved to lost+found and listed', async () => {
  const { look, copy, disk, lost, news, inLost } = await surveying();
  await copy(A);
  disk.files.set(paths.copy(B), 'whose');
  disk.files.set(join(paths.copiesDir, 'notes.txt'), 'x');
  disk.files.set(join(paths.copiesDir, 'beef', 'a.sqlite'), 'in the wrong place');
  await look();
  expect(disk.names(paths.copiesDir)).toEqual([paths.copy(A)]);
  expect(lost.count).toBe(3);
  const { files, more } = await lost.list();
  expect(files.map(({ sizeBytes, foundMs, goesMs }) => [sizeBytes, (goesMs ?? 0) - (foundMs ?? 0)]).sort()).toEqual([
    [1, 24 * HOUR],
    [18, 24 * HOUR],
    [5, 24 * HOUR],
  ]);
  expect([more, news]).toEqual([0, []]);
  expect(inLost().sort()).toEqual(['a.sqlite', 'b.sqlite', 'notes.txt']);
});

test('a copy whose file is gone is said', async () => {
  const { look, copy, disk, news } = await surveying();
  await copy(A);
  await copy(B);
  disk.files.delete(paths.copy(B));
  await look(HOUR / 2);
  expect(news).toEqual([{ kind: 'damaged', segment: 'b', version: 70, foundBy: 'look' }]);
});

test('a file that the placement names stays where it is, and the copier is told', async () => {
  const { look, disk, named, news, inLost } = await surveying();
  named.add('b');
  disk.files.set(paths.copy(B), 'whose');
  await look(HOUR / 2);
  expect([disk.names(paths.copiesDir), inLost(), news]).toEqual([
    [paths.copy(B)],
    [],
    [{ kind: 'unrecorded', segment: 'b', aside: expect.stringMatching(/copies\/\d+\.b\.sqlite$/) as string }],
  ]);
});

test('what is in lost+found goes after its time, but not what is named, or what cold storage lacks', async () => {
  const { look, disk, named, cold, inLost, lost, copy, shredded } = await surveying();
  for (const id of ['a', 'b', 'c', 'd', 'e']) disk.files.set(paths.copy(id), 'whose');
  disk.files.set(paths.lost('a', 'hot-1'), 'writes');
  for (const id of ['a', 'b', 'd']) cold.put(id, 'one');
  await look();
  expect(inLost().sort()).toEqual(['a.sqlite', 'b.sqlite', 'c.sqlite', 'd.sqlite', 'e.sqlite']);
  named.add('b');
  named.add('d');
  await copy(parseSegmentId('d'));
  shredded.add(parseSegmentId('e'));
  await look(20 * HOUR);
  expect(inLost()).toHaveLength(5);
  await look(10 * HOUR);
  expect(inLost().sort()).toEqual(['b.sqlite', 'c.sqlite']);
  expect([lost.count, disk.files.has(paths.lost('a', 'hot-1'))]).toEqual([3, true]);
  expect((await lost.list()).files.at(-1)).toMatchObject({ file: 'a.hot-1.sqlite', foundMs: null, goesMs: null });
});

test('with a time of 0 nothing in lost+found is deleted', async () => {
  const { look, disk, cold, inLost } = await surveying({ keepMs: 0 });
  disk.files.set(paths.copy(C), 'whose');
  cold.put('c', 'one');
  await look(100 * HOUR);
  expect(inLost()).toEqual(['c.sqlite']);
});

test('a copy that is just being put in its place is no stranger', async () => {
  const { cluster, look, leader, tick, row, database, content, inventory } = await surveying();
  leader.rows = [row('a', 'one', 70)];
  const gate = database.gate.holdNext('run');
  await tick();
  await gate.reached;
  await look(HOUR / 2);
  expect(content('a')).toBe('one');
  gate.open();
  await cluster.settle();
  expect([content('a'), inventory.copy(A)?.version]).toEqual(['one', 70]);
});
