import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ColdStore, type ListEvent } from '../../src/cold/cold-store.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { tempDir } from '../support/temp-dir.ts';

/** One empty cold storage, and the hands of somebody else in it. Paths are relative to its root. */
export interface ColdHarness extends AsyncDisposable {
  readonly store: ColdStore;
  /** Another object for the same storage, as another process has it. */
  readonly other: () => ColdStore;
  /** The absolute path as `ColdFile.path` says it. */
  readonly absolute: (path: string) => string;
  place(path: string, content: Uint8Array | string): Promise<void>;
  drop(path: string): Promise<void>;
  read(path: string): Promise<Uint8Array | undefined>;
  /** Every path that is there, temporary files too. */
  everything(): Promise<string[]>;
  /** Many small files at these paths, quickly. */
  fill(paths: readonly string[]): Promise<void>;
  /** From now on what was written before counts as long ago. */
  settle(): void;
  /** Directories that listings have read so far. */
  directoriesRead(): number;
}

export interface ColdSuite {
  readonly name: string;
  readonly open: () => Promise<ColdHarness>;
  readonly directories: number;
  readonly filesEach: number;
}

const seg = (id: string): SegmentId => parseSegmentId(id);
const sha = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');
const code = (expected: string): unknown => expect.objectContaining({ name: 'TroughError', code: expected });

async function listed(
  store: ColdStore,
  cursor?: string,
): Promise<{ files: string[]; gone: string[]; ignored: string[]; done: Extract<ListEvent, { kind: 'done' }> }> {
  const files: string[] = [];
  const gone: string[] = [];
  const ignored: string[] = [];
  for await (const event of store.list(cursor)) {
    if (event.kind === 'file') files.push(event.file.id);
    if (event.kind === 'gone') gone.push(event.id);
    if (event.kind === 'ignored') ignored.push(event.path);
    if (event.kind === 'done') return { files: files.sort(), gone: gone.sort(), ignored: ignored.sort(), done: event };
  }
  throw new Error('the listing ended without `done`');
}

/** Tells by itself whether it is whole: the number, then as many copies of it as it says. */
function selfDescribing(number: number): Buffer {
  return Buffer.from(`${String(number)}:`.repeat(20_000 + (number % 7) * 1000));
}

function isWhole(content: Buffer): boolean {
  const number = Number.parseInt(content.toString('latin1', 0, 10), 10);
  return content.equals(selfDescribing(number));
}

export function coldContract(suite: ColdSuite): void {
  describe(`cold storage: ${suite.name}`, () => {
    describe('publish and fetch', () => publishAndFetch(suite));
    describe('replace and remove', () => replaceAndRemove(suite));
    describe('list', () => listing(suite));
  });
}

function publishAndFetch({ open }: ColdSuite): void {
  test('what is published is found, and fetched again, byte for byte', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    const content = randomBytes(700_001);
    await writeFile(join(dir.path, 'from'), content);
    const before = Date.now();
    const published = await cold.store.publish(seg('station-0042'), join(dir.path, 'from'), sha(content));
    expect(published).toMatchObject({
      id: 'station-0042',
      path: cold.absolute('station-0/station-0042.sqlite'),
      sizeBytes: 700_001,
    });
    expect(Math.abs(published.modifiedMs - before)).toBeLessThan(10_000);
    expect(await cold.store.stat(seg('station-0042'))).toEqual(published);
    expect(await cold.store.checksum(seg('station-0042'))).toBe(sha(content));

    const fetched = await cold.store.fetch(seg('station-0042'), join(dir.path, 'to'), { sha256: sha(content) });
    expect(fetched).toEqual({ sizeBytes: 700_001, sha256: sha(content), modifiedMs: published.modifiedMs });
    expect((await readFile(join(dir.path, 'to'))).equals(content)).toBe(true);
    expect((await readdir(dir.path)).sort()).toEqual(['from', 'to']);
    expect(await cold.everything()).toEqual(['station-0/station-0042.sqlite']);
  });

  test.each([
    ['abc', '_/abc.sqlite'],
    ['abcd', 'a/abcd.sqlite'],
    ['jahr 2024.öäü', 'jahr 2024./jahr 2024.öäü.sqlite'],
    ['_x=1,y+2@z~', '_x=1,y+2/_x=1,y+2@z~.sqlite'],
  ])('the segment %j lies at %j', async (id, path) => {
    await using cold = await open();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'from'), id);
    await cold.store.publish(seg(id), join(dir.path, 'from'), sha(id));
    expect(Buffer.from((await cold.read(path)) ?? []).toString()).toBe(id);
    expect((await listed(cold.store)).files).toEqual([id]);
  });

  test('a copy that differs from the checksum is refused as torn, and what was visible stays', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await writeFile(join(dir.path, 'old'), 'old content');
    await writeFile(join(dir.path, 'new'), 'new content');
    await cold.store.publish(seg('crawl-1'), join(dir.path, 'old'), sha('old content'));
    await expect(cold.store.publish(seg('crawl-1'), join(dir.path, 'new'), sha('another'))).rejects.toEqual(
      code('COLD_COPY_TORN'),
    );
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha('old content'));
    expect(await cold.everything()).toEqual(['craw/crawl-1.sqlite']);
  });

  test('a fetch that fails leaves nothing behind', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await cold.place('craw/crawl-1.sqlite', 'content');
    await expect(cold.store.fetch(seg('crawl-1'), join(dir.path, 'to'), { sha256: sha('other') })).rejects.toEqual(
      code('COLD_COPY_TORN'),
    );
    await expect(cold.store.fetch(seg('crawl-2'), join(dir.path, 'to'), {})).rejects.toEqual(code('COLD_MISSING'));
    const called = AbortSignal.abort();
    await expect(cold.store.fetch(seg('crawl-1'), join(dir.path, 'to'), {}, called)).rejects.toEqual(
      code('COLD_FAILED'),
    );
    expect(await readdir(dir.path)).toEqual([]);
  });

  test('a missing segment has no stat, no checksum, and cannot be removed', async () => {
    await using cold = await open();
    expect(await cold.store.stat(seg('nothing'))).toBeUndefined();
    await expect(cold.store.checksum(seg('nothing'))).rejects.toEqual(code('COLD_MISSING'));
    expect(await cold.store.remove(seg('nothing'))).toBe(false);
  });

  test('what is called off while it is on its way stops, and is not visible', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    const content = randomBytes(8_000_000);
    await writeFile(join(dir.path, 'from'), content);
    const controller = new AbortController();
    const publishing = cold.store.publish(seg('big-one'), join(dir.path, 'from'), sha(content), controller.signal);
    setImmediate(() => {
      controller.abort();
    });
    await expect(publishing).rejects.toMatchObject({ code: 'COLD_FAILED', context: { cancelled: true } });
    expect(await cold.everything()).toEqual([]);
    await expect(listedWith(cold.store, AbortSignal.abort())).rejects.toMatchObject({
      code: 'COLD_FAILED',
      context: { cancelled: true },
    });
  });

  test('the probe leaves nothing visible', async () => {
    await using cold = await open();
    await cold.store.probe();
    expect(await cold.everything()).toEqual([]);
  });
}

async function listedWith(store: ColdStore, signal: AbortSignal): Promise<number> {
  let events = 0;
  for await (const event of store.list(undefined, signal)) events += event.kind === 'done' ? 0 : 1;
  return events;
}

function replaceAndRemove({ open }: ColdSuite): void {
  test('readers of a segment that is replaced 200 times see the old one or the new one, whole', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    const publish = async (number: number): Promise<void> => {
      const content = selfDescribing(number);
      await writeFile(join(dir.path, 'from'), content);
      await cold.store.publish(seg('busy'), join(dir.path, 'from'), sha(content));
    };
    await publish(0);
    let writing = true;
    const reader = async (name: string): Promise<{ seen: Set<number>; torn: number }> => {
      const store = cold.other();
      const seen = new Set<number>();
      let torn = 0;
      for (let round = 0; writing; round += 1) {
        const to = join(dir.path, `${name}-${String(round)}`);
        const fetched = await store.fetch(seg('busy'), to, {});
        const content = await readFile(to);
        if (!isWhole(content) || fetched.sha256 !== sha(content) || fetched.sizeBytes !== content.length) torn += 1;
        seen.add(Number.parseInt(content.toString('latin1', 0, 10), 10));
        await writeFile(to, '');
      }
      return { seen, torn };
    };
    const readers = ['a', 'b', 'c'].map(reader);
    try {
      for (let number = 1; number <= 200; number += 1) await publish(number);
    } finally {
      writing = false;
    }
    for (const { seen, torn } of await Promise.all(readers)) {
      expect(torn).toBe(0);
      expect(seen.size).toBeGreaterThan(2);
    }
    expect(await cold.store.checksum(seg('busy'))).toBe(sha(selfDescribing(200)));
  });

  test('two publishers of one segment leave the content of one of them', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    const contents = [selfDescribing(1), selfDescribing(2)];
    await Promise.allSettled(
      contents.map(async (content, index) => {
        const from = join(dir.path, String(index));
        await writeFile(from, content);
        await cold.other().publish(seg('contested'), from, sha(content));
      }),
    );
    expect(contents.map(sha)).toContain(await cold.store.checksum(seg('contested')));
    expect(await cold.everything()).toEqual(['contes/contested.sqlite']);
  });

  test('a segment is removed once', async () => {
    await using cold = await open();
    await cold.place('craw/crawl-1.sqlite', 'content');
    expect(await cold.store.remove(seg('crawl-1'))).toBe(true);
    expect(await cold.store.remove(seg('crawl-1'))).toBe(false);
    expect(await cold.store.stat(seg('crawl-1'))).toBeUndefined();
    expect((await listed(cold.store)).files).toEqual([]);
  });
}

function listing(suite: ColdSuite): void {
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
    cold.settle();
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
    expect(cold.directoriesRead() - readBefore).toBeLessThanOrEqual(7);

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
