import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LocalDisk } from '../../../src/disk/local-disk.ts';
import { TroughError } from '../../../src/errors.ts';
import { sha256Of } from '../../support/fake-cold-store.ts';
import { tempDir } from '../../support/temp-dir.ts';

const disk = new LocalDisk();
const FAST = 1e9;

test('the digest of a file is of its bytes, and changes with one bit of them', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'a.sqlite');
  const content = Buffer.alloc(700_000, 'some content ');
  await writeFile(file, content);
  const before = await disk.digest(file, FAST);
  expect(before).toEqual({ sizeBytes: 700_000, sha256: sha256Of(content.toString()) });
  content[650_000] = (content[650_000] ?? 0) ^ 1;
  await writeFile(file, content);
  expect((await disk.digest(file, FAST)).sha256).not.toBe(before.sha256);
});

test('a file is not read faster than it is asked for', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'a.sqlite');
  await writeFile(file, Buffer.alloc(600_000));
  const startedAt = performance.now();
  await disk.digest(file, 1_500_000);
  expect(performance.now() - startedAt).toBeGreaterThan(390);
});

test('a digest that nobody wants any more ends at once, and the next one is made', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'a.sqlite');
  await writeFile(file, Buffer.alloc(1_000_000));
  const giveUp = new AbortController();
  const slow = disk.digest(file, 1, giveUp.signal);
  const next = disk.digest(file, FAST);
  giveUp.abort(new TroughError('STOPPING', 'stopped'));
  await expect(slow).rejects.toMatchObject({ code: 'STOPPING' });
  expect((await next).sizeBytes).toBe(1_000_000);
});

test('a file that is not there has no digest, no content and no size', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'a.sqlite');
  await expect(disk.digest(file, FAST)).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  await expect(textOf(disk.read(file))).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  expect(await disk.size(file)).toBeUndefined();
});

test('what is written in pieces is read again, with its digest', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'deep', 'a.sqlite');
  expect(await disk.write(file, pieces('one ', 'two'))).toEqual({ sizeBytes: 7, sha256: sha256Of('one two') });
  expect(await textOf(disk.read(file))).toBe('one two');
  expect(await disk.size(file)).toBe(7);
  await expect(disk.write(file, pieces('other'))).rejects.toMatchObject({ code: 'DATA_DIRECTORY_UNUSABLE' });
  expect(await readFile(file, 'utf8')).toBe('one two');
});

test('pieces that end with an error leave no file', async () => {
  await using dir = await tempDir();
  const broken = async function* (): AsyncIterable<Uint8Array> {
    yield* pieces('one');
    throw new TroughError('BUS_TIMEOUT', 'no more came');
  };
  await expect(disk.write(join(dir.path, 'a.sqlite'), broken())).rejects.toMatchObject({ code: 'BUS_TIMEOUT' });
  expect(await readdir(dir.path)).toEqual([]);
});

test('a directory lists its files and directories; one that is not there has none', async () => {
  await using dir = await tempDir();
  await disk.write(join(dir.path, 'deep', 'a.sqlite'), pieces('x'));
  await writeFile(join(dir.path, 'b.sqlite'), 'x');
  const found = await disk.list(dir.path);
  expect([...found].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    { name: 'b.sqlite', isDirectory: false },
    { name: 'deep', isDirectory: true },
  ]);
  expect(await disk.list(join(dir.path, 'none'))).toEqual([]);
});

async function* pieces(...texts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
