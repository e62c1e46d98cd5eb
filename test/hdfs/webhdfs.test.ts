import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HdfsTimes } from '../../src/cold/webhdfs/webhdfs-options.ts';
import { listed, seg, sha } from '../contract/cold-harness.ts';
import { eventually } from '../support/eventually.ts';
import { faultProxy } from '../support/fault-proxy.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { tempDir } from '../support/temp-dir.ts';
import { webHdfs, webHdfsHarness } from './webhdfs-harness.ts';

const MiB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const id = seg('crawl-1');
const AT = 'craw/crawl-1.sqlite';
const QUICK: Partial<HdfsTimes> = { pauseMs: 20, answerMs: 5_000, attempts: 2 };

let hdfs: TestHdfs;
beforeAll(async () => {
  // Not as the driver expects it at first: other checksums, and pages of few names.
  const set = { 'dfs.bytes-per-checksum': '256', 'dfs.checksum.type': 'CRC32', 'dfs.ls.limit': '10' };
  hdfs = await testHdfs({ set });
});
afterAll(() => hdfs[Symbol.asyncDispose]());

async function databaseBytes(): Promise<Buffer> {
  await using dir = await tempDir();
  const database = new Database(join(dir.path, 'db'));
  database.exec('create table t (x)');
  const insert = database.prepare('insert into t values (?)');
  for (let row = 0; row < 200; row += 1) insert.run('x'.repeat(100));
  database.close();
  return await readFile(join(dir.path, 'db'));
}

describe('checksums', () => {
  test.each([0, 1, 255, 256, MiB - 1, MiB, MiB + 1, 3 * MiB + 700])(
    'a file of %d bytes in blocks of 1 MiB, checked another way than usual, is fetched',
    async (length) => {
      await using cold = webHdfsHarness(hdfs, { times: QUICK });
      await using dir = await tempDir();
      const content = randomBytes(length);
      await cold.plain.put(cold.absolute(AT), content, { blocksize: MiB });
      const { sha256 } = await cold.store.fetch(id, join(dir.path, 'to'), {});
      expect(sha256).toBe(sha(content));
    },
  );

  test('a file that was put together from others has another checksum, and is fetched all the same', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await using dir = await tempDir();
    const parts = [randomBytes(MiB + 1000), randomBytes(MiB + 512), randomBytes(77)];
    const paths = parts.map((_, index) =>
      index === 0 ? cold.absolute(AT) : cold.absolute(`craw/part-${String(index)}`),
    );
    for (const [index, part] of parts.entries()) await cold.plain.put(paths[index] ?? '', part, { blocksize: MiB });
    await cold.plain.concat(cold.absolute(AT), paths.slice(1));
    const { sha256 } = await cold.store.fetch(id, join(dir.path, 'to'), {});
    expect(sha256).toBe(sha(Buffer.concat(parts)));
  });

  test('a file is published where checksums are others than usual', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await using dir = await tempDir();
    const content = randomBytes(700_001);
    await writeFile(join(dir.path, 'from'), content);
    for (let times = 0; times < 2; times += 1) await cold.store.publish(id, join(dir.path, 'from'), sha(content));
    expect(sha((await cold.read(AT)) ?? '')).toBe(sha(content));
  });
});

describe('files of others', () => {
  test('one that is being written is listed when it is closed, not before', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await cold.place('craw/crawl-2.sqlite', 'x');
    const before = await listed(cold.store);
    const database = await databaseBytes();
    const writing = await cold.plain.begin(cold.absolute(AT), database);
    await eventually('it is there, empty', async () => (await cold.plain.status(cold.absolute(AT)))?.length === 0);
    const during = await listed(cold.store, before.done.cursor);
    expect(during).toMatchObject({ files: [], gone: [], ignored: [cold.absolute(AT)], done: { files: 1 } });
    await expect(cold.store.fetch(id, '/nowhere/to', {})).rejects.toMatchObject({ code: 'COLD_FAILED' });
    await writing.end();
    const after = await listed(cold.store, during.done.cursor);
    expect(after).toMatchObject({ files: ['crawl-1'], ignored: [], done: { files: 2 } });
  });

  test('a fetch of one that is being written says so', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await using dir = await tempDir();
    const writing = await cold.plain.begin(cold.absolute(AT), await databaseBytes());
    await eventually('it is there', async () => (await cold.plain.status(cold.absolute(AT))) !== undefined);
    await expect(cold.store.fetch(id, join(dir.path, 'to'), {})).rejects.toMatchObject({ code: 'COLD_CHANGED' });
    await writing.end();
    await cold.store.fetch(id, join(dir.path, 'to'), {});
  });

  test('one whose upload was broken off looks complete to HDFS, and is not listed', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    const before = await listed(cold.store);
    const database = await databaseBytes();
    await cold.place(AT, database.subarray(0, database.length - 4096));
    const broken = await listed(cold.store, before.done.cursor);
    expect(broken).toMatchObject({ files: [], ignored: [cold.absolute(AT)] });
    await cold.settle();
    expect(await listed(cold.store, broken.done.cursor)).toMatchObject({ files: [], ignored: [cold.absolute(AT)] });
    await cold.place(AT, database);
    const { done } = await listed(cold.store);
    expect(done.files).toBe(1);
  });

  test('one that is replaced while it is fetched is fetched again', async () => {
    let replace: (() => Promise<void>) | undefined;
    await using proxy = await faultProxy(hdfs.authority, {
      passed: ({ op }, bytes) => {
        if (op !== 'OPEN' || bytes < 2 * MiB) return;
        void replace?.();
        replace = undefined;
      },
    });
    await using cold = webHdfsHarness(hdfs, { address: proxy.authority, times: { pauseMs: 200 } });
    await using dir = await tempDir();
    const [old, fresh] = [randomBytes(24 * MiB), randomBytes(24 * MiB)];
    // Of many blocks: the old one's are gone before all of them were read.
    await cold.plain.put(cold.absolute(AT), old, { blocksize: MiB });
    replace = () => cold.place(AT, fresh);
    const { sha256, sizeBytes } = await cold.store.fetch(id, join(dir.path, 'to'), {});
    expect(replace).toBeUndefined();
    expect([sha(old), sha(fresh)]).toContain(sha256);
    expect(sha(await readFile(join(dir.path, 'to')))).toBe(sha256);
    expect(sizeBytes).toBe(24 * MiB);
  });

  test('any number of names in one directory is listed, in pages', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    const names = Array.from({ length: 47 }, (_, index) => `é ${String(index)}+%41 x${String(index % 7)}`);
    await cold.fill(names.map((name) => `any/${name}.sqlite`));
    const { files, ignored } = await listed(cold.store);
    expect(files.length + ignored.length).toBe(47);
  });
});

describe('cold storage in HDFS', () => {
  test('that is gone is not an empty one', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await cold.place(AT, 'content');
    await listed(cold.store);
    await cold.plain.remove(cold.root);
    await expect(listed(cold.store)).rejects.toMatchObject({ code: 'COLD_FAILED' });
    await cold.plain.makeDirectory(cold.root);
    await expect(listed(cold.store)).rejects.toMatchObject({ code: 'COLD_FAILED' });
  });

  test('loses what crashed publishes left a day ago, and keeps what is younger', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await cold.place('.trough-tmp/crawl-1.old.part', 'x');
    await hdfs.age(cold.absolute('.trough-tmp'), 25 * HOUR_MS);
    await cold.place('.trough-tmp/crawl-1.young.part', 'x');
    await cold.store.probe();
    expect(await cold.everything()).toEqual(['.trough-tmp/crawl-1.young.part']);
  });

  test('is listed while it is read-only, and a publish says why it cannot be', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await using dir = await tempDir();
    await cold.place(AT, 'content');
    await cold.store.probe();
    await writeFile(join(dir.path, 'from'), 'new content');
    await hdfs.safeMode(true);
    try {
      expect((await listed(cold.other())).files).toEqual(['crawl-1']);
      expect(await cold.store.checksum(id)).toBe(sha('content'));
      await expect(cold.store.publish(id, join(dir.path, 'from'), sha('new content'))).rejects.toMatchObject({
        code: 'COLD_FAILED',
        context: { exception: 'SafeModeException' },
      });
    } finally {
      await hdfs.safeMode(false);
    }
    await cold.store.publish(id, join(dir.path, 'from'), sha('new content'));
  });

  test('tells a user without the right to write so, at once', async () => {
    await using cold = webHdfsHarness(hdfs, { times: QUICK });
    await cold.store.probe();
    using bob = webHdfs(`webhdfs://bob@${hdfs.authority}${cold.root}`, { times: QUICK });
    await expect(bob.probe()).rejects.toMatchObject({
      code: 'COLD_FAILED',
      context: { exception: 'AccessControlException' },
    });
  });

  test('does not count a file that is on fewer data nodes than was asked for', async () => {
    await using cold = webHdfsHarness(hdfs, { times: { ...QUICK, answerMs: 1_500, attempts: 1 }, replicas: 2 });
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'from'), 'content');
    await expect(cold.store.publish(id, join(dir.path, 'from'), sha('content'))).rejects.toThrow(
      /is on 1 data nodes after 1500 ms, not on 2/,
    );
    expect(await cold.everything()).toEqual([]);
  });
});
