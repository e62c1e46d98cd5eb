import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ColdSuite, listed, seg, sha } from './cold-harness.ts';
import { tempDir } from '../support/temp-dir.ts';

/** How any cold store lists what it holds. */
export function coldListing(suite: ColdSuite): void {
  const { open } = suite;

  test(`of ${String(suite.directories * suite.filesEach)} files, 10 new, 3 changed and 2 vanished ones are found without reading the rest again`, async () => {
    await using cold = await open();
    const path = (directory: number, file: number | string): string => {
      const prefix = `crawl${String(directory).padStart(4, '0')}-`;
      return `${prefix}/${prefix}${String(file).padStart(3, '0')}.sqlite`;
    };
    const paths: string[] = [];
    for (let directory = 0; directory < suite.directories; directory += 1) {
      for (let file = 0; file < suite.filesEach; file += 1) paths.push(path(directory, file));
    }
    await cold.fill(paths);
    await cold.settle();
    const first = await listed(cold.store);
    expect(first.files).toHaveLength(paths.length);
    expect(new Set(first.files).size).toBe(paths.length);
    expect(first.done).toMatchObject({ files: paths.length, complete: true });

    for (let file = 0; file < 10; file += 1) await cold.place(path(file % 5, `n${String(file)}0`), 'new');
    for (let file = 0; file < 3; file += 1) await cold.place(path(5, file), 'changed');
    for (let file = 0; file < 2; file += 1) await cold.drop(path(6, file));
    const readBefore = cold.directoriesRead();
    const second = await listed(cold.store, first.done.cursor);
    const expected = [...Array(10).keys()].map((file) => `crawl000${String(file % 5)}-n${String(file)}0`);
    expect(second.files).toEqual([...expected, 'crawl0005-000', 'crawl0005-001', 'crawl0005-002'].sort());
    expect(second.gone).toEqual(['crawl0006-000', 'crawl0006-001']);
    expect(second.done.files).toBe(paths.length + 8);
    expect(second.done.complete).toBeUndefined();
    expect(cold.directoriesRead() - readBefore).toBeLessThanOrEqual(7 + (suite.alwaysRead ?? 0));

    const third = await listed(cold.store, second.done.cursor);
    expect({ files: third.files, gone: third.gone }).toEqual({ files: [], gone: [] });
  });

  test('a file in any place below the root is a segment, and is fetched from there by processes that never listed', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await cold.place('2019/deep/down/station-7.sqlite', 'foreign');
    const { files, done } = await listed(cold.store);
    expect(files).toEqual(['station-7']);
    expect(done.files).toBe(1);
    for (const store of [cold.store, cold.other()]) {
      expect(await store.stat(seg('station-7'))).toMatchObject({
        path: cold.absolute('2019/deep/down/station-7.sqlite'),
        sizeBytes: 7,
      });
      await store.fetch(seg('station-7'), join(dir.path, 'to'), { sha256: sha('foreign') });
      expect(await store.checksum(seg('station-7'))).toBe(sha('foreign'));
    }
  });

  test('names that are no segment are reported, temporary and hidden ones are passed over', async () => {
    await using cold = await open();
    await cold.place('good/good-1.sqlite', 'x');
    await cold.place('bad/-starts with a dash.sqlite', 'x');
    await cold.place(`bad/${'x'.repeat(140)}.sqlite`, 'x');
    await cold.place('good/good-2.sqlite._COPYING_', 'x');
    await cold.place('good/.good-3.sqlite', 'x');
    await cold.place('.hidden/good-4.sqlite', 'x');
    await cold.place('good/notes.txt', 'x');
    const { files, ignored } = await listed(cold.store);
    expect(files).toEqual(['good-1']);
    expect(ignored).toEqual([
      cold.absolute('bad/-starts with a dash.sqlite'),
      cold.absolute(`bad/${'x'.repeat(140)}.sqlite`),
    ]);
  });

  test('of two files of one id the canonical one counts, and the other takes over when it goes', async () => {
    await using cold = await open();
    await cold.place('elsewhere/crawl-1.sqlite', 'stray');
    const first = await listed(cold.store);
    expect(first).toMatchObject({ files: ['crawl-1'], ignored: [] });
    await cold.place('craw/crawl-1.sqlite', 'canonical');
    const second = await listed(cold.store, first.done.cursor);
    expect(second).toMatchObject({
      files: ['crawl-1'],
      gone: [],
      ignored: [cold.absolute('elsewhere/crawl-1.sqlite')],
    });
    expect(second.done.files).toBe(1);
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha('canonical'));
    expect((await listed(cold.other())).done.files).toBe(1);

    await cold.drop('craw/crawl-1.sqlite');
    const third = await listed(cold.store, second.done.cursor);
    expect(third).toMatchObject({ files: ['crawl-1'], gone: [] });
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha('stray'));
    await cold.drop('elsewhere/crawl-1.sqlite');
    expect(await listed(cold.store, third.done.cursor)).toMatchObject({
      files: [],
      gone: ['crawl-1'],
      done: { files: 0 },
    });
  });

  test('a removed segment does not come back from a duplicate elsewhere', async () => {
    await using cold = await open();
    await cold.place('elsewhere/crawl-1.sqlite', 'stray');
    await cold.place('craw/crawl-1.sqlite', 'canonical');
    const { done } = await listed(cold.store);
    expect(await cold.store.remove(seg('crawl-1'))).toBe(true);
    expect(await listed(cold.store, done.cursor)).toMatchObject({ files: [], gone: ['crawl-1'], done: { files: 0 } });
  });

  test('a directory that vanishes takes its segments with it', async () => {
    await using cold = await open();
    await cold.place('a/deep/one.sqlite', 'x');
    await cold.place('a/two.sqlite', 'x');
    await cold.place('b/three.sqlite', 'x');
    const first = await listed(cold.store);
    await cold.drop('a');
    expect(await listed(cold.store, first.done.cursor)).toMatchObject({
      gone: ['one', 'two'],
      files: [],
      done: { files: 1 },
    });
  });

  test('with a cursor that it does not know it lists everything and says so', async () => {
    await using cold = await open();
    await cold.place('craw/crawl-1.sqlite', 'x');
    const { done } = await listed(cold.store);
    expect(await listed(cold.other(), done.cursor)).toMatchObject({ files: ['crawl-1'], done: { complete: true } });
  });

  test('after a listing that was broken off the next one lists everything', async () => {
    await using cold = await open();
    await cold.place('craw/crawl-1.sqlite', 'x');
    await cold.place('craw/crawl-2.sqlite', 'x');
    const { done } = await listed(cold.store);
    await cold.place('craw/crawl-3.sqlite', 'x');
    for await (const event of cold.store.list(done.cursor)) if (event.kind === 'file') break;
    expect(await listed(cold.store, done.cursor)).toMatchObject({
      files: ['crawl-1', 'crawl-2', 'crawl-3'],
      done: { complete: true },
    });
  });
}
