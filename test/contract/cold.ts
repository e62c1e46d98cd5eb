import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ColdStore, type Fetched } from '../../src/cold/cold-store.ts';
import { TroughError } from '../../src/errors.ts';
import { coldCare } from './cold-care.ts';
import { code, type ColdHarness, type ColdSuite, listed, seg, sha } from './cold-harness.ts';
import { coldListing } from './cold-listing.ts';
import { tempDir } from '../support/temp-dir.ts';

/** Tells by itself whether it is whole: the number, then as many copies of it as it says. */
function selfDescribing(number: number): Buffer {
  return Buffer.from(`${String(number)}:`.repeat(20_000 + (number % 7) * 1000));
}

function isWhole(content: Buffer): boolean {
  const number = Number.parseInt(content.toString('latin1', 0, 10), 10);
  return content.equals(selfDescribing(number));
}

/** For what stands before a cold storage and lists nothing itself. */
export function coldFilesContract(name: string, open: () => Promise<ColdHarness<ColdStore>>): void {
  describe(`cold storage: ${name}`, () => {
    publishAndFetch({ open });
    replaceAndRemove({ open });
  });
}

interface FilesSuite {
  readonly open: () => Promise<ColdHarness<ColdStore>>;
}

export function coldContract(suite: ColdSuite): void {
  describe(`cold storage: ${suite.name}`, () => {
    describe('publish and fetch', () => {
      publishAndFetch(suite);
    });
    describe('replace and remove', () => {
      replaceAndRemove(suite);
    });
    describe('list', () => {
      coldListing(suite);
    });
    describe('look after', () => {
      coldCare(suite);
    });
  });
}

function publishAndFetch({ open }: FilesSuite): void {
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

    const told = { sizeBytes: 700_001, sha256: sha(content) };
    const [unknown, known] = [join(dir.path, 'unknown'), join(dir.path, 'known')];
    const fetched = await cold.store.fetch(seg('station-0042'), unknown, {});
    expect(fetched).toEqual({ ...told, modifiedMs: published.modifiedMs });
    expect(await cold.store.fetch(seg('station-0042'), known, { sha256: sha(content) })).toMatchObject(told);
    for (const path of [unknown, known]) expect((await readFile(path)).equals(content)).toBe(true);
    expect((await readdir(dir.path)).sort()).toEqual(['from', 'known', 'unknown']);
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

/** Undefined when it was replaced during each try, as may be on a slow machine: nothing torn is there then, and the error says so. */
async function fetchUnlessReplaced(store: ColdStore, to: string): Promise<Fetched | undefined> {
  try {
    return await store.fetch(seg('busy'), to, {});
  } catch (error) {
    expect(error).toMatchObject({ code: 'COLD_CHANGED' });
    return undefined;
  }
}

function replaceAndRemove({ open }: FilesSuite): void {
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
        const fetched = await fetchUnlessReplaced(store, to);
        if (fetched === undefined) continue;
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

  test('a publish whose caller takes it back when the upload is whole replaces nothing', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await cold.place('craw/crawl-1.sqlite', 'old');
    await writeFile(join(dir.path, 'from'), 'new');
    const fail = (): Promise<void> => Promise.reject(new TroughError('JOURNAL_FENCED', 'overtaken'));
    const publishing = cold.store.publish(seg('crawl-1'), join(dir.path, 'from'), sha('new'), undefined, fail);
    await expect(publishing).rejects.toEqual(code('JOURNAL_FENCED'));
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha('old'));
    expect(await cold.everything()).toEqual(['craw/crawl-1.sqlite']);
  });

  test('a publish whose upload another has discarded replaces nothing, and another segment is left alone', async () => {
    await using cold = await open();
    await using dir = await tempDir();
    await cold.place('craw/crawl-1.sqlite', 'old');
    await writeFile(join(dir.path, 'from'), 'new');
    const discard = (id: string) => () => cold.other().discardUploads(seg(id));
    const publish = (id: string, before: () => Promise<void>) =>
      cold.store.publish(seg(id), join(dir.path, 'from'), sha('new'), undefined, before);
    await expect(publish('crawl-1', discard('crawl-1'))).rejects.toMatchObject({ name: 'TroughError' });
    expect(await cold.store.checksum(seg('crawl-1'))).toBe(sha('old'));
    await publish('crawl-1.b', discard('crawl-1'));
    expect(await cold.store.checksum(seg('crawl-1.b'))).toBe(sha('new'));
  });
}
