import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ColdCare } from '../../src/cold/cold-care.ts';
import { tempDir } from '../support/temp-dir.ts';
import { code, type ColdSuite, seg, sha } from './cold-harness.ts';

const HOUR_MS = 3_600_000;

interface Walked {
  readonly files: string[];
  readonly strays: string[];
  readonly odd: string[];
  readonly places: string[];
}

async function walked(care: ColdCare, after?: string): Promise<Walked> {
  const found: Walked = { files: [], strays: [], odd: [], places: [] };
  for await (const event of care.walk(after)) {
    if (event.kind === 'file') found.files.push(event.file.path);
    if (event.kind === 'file' && event.stray) found.strays.push(event.file.path);
    if (event.kind === 'odd') found.odd.push(event.path);
    if (event.kind === 'place') found.places.push(event.after);
  }
  return found;
}

export function coldCare({ open }: ColdSuite): void {
  test('a walk names every file, also where it lies elsewhere or has no good name, and what is hidden not', async () => {
    await using cold = await open();
    const paths = ['craw/crawl-1.sqlite', 'a.sqlite', 'deep/er/one-7.sqlite'];
    for (const path of [...paths, 'craw/-bad.sqlite', '.hidden/x-123.sqlite', 'craw/notes.txt'])
      await cold.place(path, 'x');
    const { files, strays, odd } = await walked(cold.store);
    expect(files.sort()).toEqual(paths.map((path) => cold.absolute(path)).sort());
    expect(strays.sort()).toEqual([cold.absolute('a.sqlite'), cold.absolute('deep/er/one-7.sqlite')]);
    expect(odd).toEqual([cold.absolute('craw/-bad.sqlite')]);
  });

  test('a walk goes on behind any place that it has passed, and names the rest', async () => {
    await using cold = await open();
    const paths = ['a/a-1.sqlite', 'a/b/b-1.sqlite', 'a/c/c-1.sqlite', 'a-b/d-1.sqlite', 'b/e-1.sqlite', 'f-1.sqlite'];
    for (const path of paths) await cold.place(path, 'x');
    const whole = await walked(cold.store);
    expect(whole.places.length).toBe(6);
    const seen = new Set<string>();
    for (const [at, place] of whole.places.entries()) {
      const rest = await walked(cold.store, place);
      expect(rest.places).toEqual(whole.places.slice(at + 1));
      for (const file of rest.files) seen.add(file);
      expect(rest.files).toEqual(whole.files.slice(whole.files.length - rest.files.length));
    }
    expect([...seen]).toEqual(whole.files.slice(1));
  });

  test('a stray that came after the last listing is found once it was told of', async () => {
    await using cold = await open();
    for await (const event of cold.store.list(undefined)) expect(event.kind).toBe('done');
    await cold.place('elsewhere/crawl-1.sqlite', 'x');
    const file = { id: seg('crawl-1'), path: cold.absolute('elsewhere/crawl-1.sqlite'), sizeBytes: 1, modifiedMs: 0 };
    await cold.store.learn(file);
    expect(await cold.store.stat(seg('crawl-1'))).toMatchObject({ path: file.path });
    await cold.place('craw/crawl-1.sqlite', 'y');
    await cold.store.learn(file);
    expect(await cold.store.stat(seg('crawl-1'))).toMatchObject({ path: cold.absolute('craw/crawl-1.sqlite') });
  });

  test('what is stored is read back, piece by piece, and what is not as it should be is torn', async () => {
    await using cold = await open();
    const content = randomBytes(700_001);
    await cold.place('craw/crawl-1.sqlite', content);
    let passed = 0;
    const count = (bytes: number): Promise<void> => Promise.resolve(void (passed += bytes));
    const read = await cold.store.readBack(seg('crawl-1'), sha(content), count);
    expect(read).toMatchObject({ sizeBytes: content.length, sha256: sha(content) });
    expect(Buffer.from(read.head).equals(content.subarray(0, 100))).toBe(true);
    expect(passed).toBe(content.length);
    expect((await cold.store.readBack(seg('crawl-1'), undefined, count)).sha256).toBe(sha(content));
    await expect(cold.store.readBack(seg('crawl-1'), sha('other'), count)).rejects.toEqual(code('COLD_COPY_TORN'));
    await expect(cold.store.readBack(seg('crawl-2'), undefined, count)).rejects.toEqual(code('COLD_MISSING'));
  });

  test.each([0, 99, 5000])('of a file of %d bytes the first are read', async (sizeBytes) => {
    await using cold = await open();
    const content = randomBytes(sizeBytes);
    await cold.place('craw/crawl-1.sqlite', content);
    const file = await cold.store.stat(seg('crawl-1'));
    if (file === undefined) throw new Error('it is not there');
    expect(Buffer.from(await cold.store.head(file)).equals(content.subarray(0, 100))).toBe(true);
    await cold.drop('craw/crawl-1.sqlite');
    if (sizeBytes > 0) await expect(cold.store.head(file)).rejects.toEqual(code('COLD_MISSING'));
  });

  test('what was lost is published again as it was, with its time', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    const [content, from] = [randomBytes(300_001), join(dir.path, 'from')];
    await writeFile(from, content);
    const was = await cold.store.publish(seg('crawl-1'), from, sha(content));
    await cold.drop('craw');
    const restored = await cold.store.restore(seg('crawl-1'), from, {
      sha256: sha(content),
      modifiedMs: 1_700_000_000_123,
    });
    expect(restored).toEqual({ ...was, modifiedMs: 1_700_000_000_123 });
    expect(await cold.store.stat(seg('crawl-1'))).toEqual(restored);
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha(content));
    expect(await cold.everything()).toEqual(['craw/crawl-1.sqlite']);
    expect(await readdir(dir.path)).toEqual(['from']);
  });

  test('nothing is published again over what is there, or from what is not the content that was lost', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'from'), 'lost');
    await cold.place('craw/crawl-1.sqlite', 'somebody put it there');
    const again = (sha256: string): Promise<unknown> =>
      cold.store.restore(seg('crawl-1'), join(dir.path, 'from'), { sha256, modifiedMs: 1 });
    await expect(again(sha('lost'))).rejects.toEqual(code('COLD_CHANGED'));
    expect(Buffer.from((await cold.read('craw/crawl-1.sqlite')) ?? '').toString()).toBe('somebody put it there');
    await cold.drop('craw/crawl-1.sqlite');
    await expect(again(sha('another'))).rejects.toEqual(code('COLD_COPY_TORN'));
    expect(await cold.everything()).toEqual([]);
  });

  test('temporary files are leftovers when they are older than a day', async () => {
    await using cold = await open();
    await cold.store.demand();
    await cold.place('.trough-tmp/crawl-1.old.part', 'four');
    await cold.place('.trough-tmp/crawl-1.young.part', 'x');
    await cold.age('.trough-tmp/crawl-1.old.part', 25 * HOUR_MS);
    await cold.age('.trough-tmp/crawl-1.young.part', 23 * HOUR_MS);
    const leftovers = await cold.store.leftovers();
    expect(leftovers).toMatchObject([{ path: cold.absolute('.trough-tmp/crawl-1.old.part'), sizeBytes: 4 }]);
    for (const leftover of leftovers) await cold.store.removeLeftover(leftover);
    expect(await cold.store.leftovers()).toEqual([]);
    expect(await cold.everything()).toEqual(['.trough-tmp/crawl-1.young.part']);
  });
}
