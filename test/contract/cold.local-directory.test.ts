import { mkdir, readdir, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LocalDirectory } from '../../src/cold/local-directory.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { tempDir } from '../support/temp-dir.ts';
import { coldContract } from './cold.ts';
import { HOUR_MS, localHarness } from './local-harness.ts';

coldContract({ name: 'local directory', open: localHarness, directories: 100, filesEach: 1000 });

const id = parseSegmentId('crawl-1');

test('a file that is written in place is found by the next listing while it is young', async () => {
  await using cold = await localHarness();
  await cold.place('craw/crawl-1.sqlite', 'x');
  let cursor: string | undefined;
  for await (const event of cold.store.list(undefined)) if (event.kind === 'done') cursor = event.cursor;
  await writeFile(cold.absolute('craw/crawl-1.sqlite'), 'longer than before');
  const sizes: number[] = [];
  for await (const event of cold.store.list(cursor)) if (event.kind === 'file') sizes.push(event.file.sizeBytes);
  expect(sizes).toEqual([18]);
});

test('a file that is written to while it is fetched is reported as changed', async () => {
  await using cold = await localHarness();
  await using dir = await tempDir();
  await cold.place('craw/crawl-1.sqlite', Buffer.alloc(20_000_000));
  const fetching = cold.store.fetch(id, join(dir.path, 'to'), {});
  await Promise.all([
    expect(fetching).rejects.toMatchObject({ code: 'COLD_CHANGED' }),
    growUntil(cold.absolute('craw/crawl-1.sqlite'), fetching),
  ]);
  expect(await readdir(dir.path)).toEqual([]);
});

async function growUntil(path: string, ended: Promise<unknown>): Promise<void> {
  const state = { ended: false };
  const end = (): void => {
    state.ended = true;
  };
  void ended.then(end, end);
  for (let times = 0; !state.ended && times < 10_000; times += 1) await writeFile(path, 'more', { flag: 'a' });
}

test('a storage that is gone is not an empty one', async () => {
  await using cold = await localHarness();
  await cold.place('craw/crawl-1.sqlite', 'x');
  await cold.store.probe();
  await rename(cold.absolute('.'), `${cold.absolute('.')}-unmounted`);
  await mkdir(cold.absolute('.'));
  const listing = async (): Promise<void> => {
    for await (const event of cold.store.list(undefined)) expect(event.kind).not.toBe('done');
  };
  await expect(listing()).rejects.toMatchObject({
    code: 'COLD_FAILED',
    message: expect.stringContaining('unmounted') as string,
  });
  await expect(cold.store.probe()).rejects.toMatchObject({ code: 'COLD_FAILED' });
});

test('what a crashed publish left behind a day ago is removed at the first use, younger files are kept', async () => {
  await using cold = await localHarness();
  await cold.place('.trough-tmp/crawl-1.old.part', 'x');
  await cold.place('.trough-tmp/crawl-1.young.part', 'x');
  const longAgo = (Date.now() - 25 * HOUR_MS) / 1000;
  await utimes(cold.absolute('.trough-tmp/crawl-1.old.part'), longAgo, longAgo);
  await cold.store.probe();
  expect(await cold.everything()).toEqual(['.trough-tmp/crawl-1.young.part']);
});

test('links to files are followed, links to directories are not', async () => {
  await using cold = await localHarness();
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'elsewhere'), 'content');
  await cold.place('craw/crawl-2.sqlite', 'x');
  await symlink(join(dir.path, 'elsewhere'), cold.absolute('craw/crawl-1.sqlite'));
  await symlink(cold.absolute('.'), cold.absolute('craw/loop'));
  const found: string[] = [];
  for await (const event of cold.store.list(undefined))
    if (event.kind === 'file') found.push(`${event.file.id} ${String(event.file.sizeBytes)}`);
  expect(found.sort()).toEqual(['crawl-1 7', 'crawl-2 1']);
});

test('a root that cannot be written is reported by the probe', async () => {
  await using dir = await tempDir();
  await writeFile(join(dir.path, 'file'), 'in the way');
  const store = new LocalDirectory({ root: join(dir.path, 'file', 'cold') });
  await expect(store.probe()).rejects.toMatchObject({ code: 'COLD_FAILED' });
});
