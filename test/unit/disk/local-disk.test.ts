import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LocalDisk } from '../../../src/disk/local-disk.ts';
import { tempDir } from '../../support/temp-dir.ts';

const disk = new LocalDisk();

test('a database is its file and what SQLite keeps beside it', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'a.sqlite');
  for (const suffix of ['', '-wal', '-shm', '-journal']) await writeFile(file + suffix, 'x');
  await writeFile(join(dir.path, 'b.sqlite'), 'x');
  expect(await disk.exists(file)).toBe(true);
  await disk.removeDatabase(file);
  await disk.removeDatabase(file);
  expect(await disk.exists(file)).toBe(false);
  expect(await readdir(dir.path)).toEqual(['b.sqlite']);
});

test('a moved database brings its own log along and keeps nothing of the one that it replaces', async () => {
  await using dir = await tempDir();
  const from = join(dir.path, 'from.sqlite');
  const to = join(dir.path, 'deep', 'er', 'to.sqlite');
  await disk.makeDirectoryOf(to);
  await writeFile(to, 'old');
  await writeFile(`${to}-wal`, 'old log');
  await writeFile(`${to}-journal`, 'old journal');
  await writeFile(from, 'new');
  await writeFile(`${from}-wal`, 'new log');
  await disk.moveDatabase(from, to);
  expect(await readdir(join(dir.path, 'deep', 'er'))).toEqual(['to.sqlite', 'to.sqlite-wal']);
  expect([await readFile(to, 'utf8'), await readFile(`${to}-wal`, 'utf8')]).toEqual(['new', 'new log']);
  expect(await readdir(dir.path)).toEqual(['deep']);
});

test('it tells of each database that was there and is gone, or is another one now', async () => {
  await using dir = await tempDir();
  const gone: string[] = [];
  const telling = new LocalDisk((file) => gone.push(file));
  const [first, second] = [join(dir.path, 'a.sqlite'), join(dir.path, 'b.sqlite')];
  await telling.removeDatabase(first);
  await writeFile(first, 'a');
  await telling.moveDatabase(first, second);
  expect(gone).toEqual([]);
  await writeFile(first, 'b');
  await telling.moveDatabase(first, second);
  expect(gone).toEqual([second]);
  await telling.removeDatabase(second);
  expect(gone).toEqual([second, second]);
});

test('a move to a new place makes its directories', async () => {
  await using dir = await tempDir();
  const from = join(dir.path, 'from.sqlite');
  const to = join(dir.path, 'not', 'yet', 'there', 'to.sqlite');
  await writeFile(from, 'rows');
  await disk.moveDatabase(from, to);
  expect(await readFile(to, 'utf8')).toBe('rows');
});

test('a directory is emptied, or made', async () => {
  await using dir = await tempDir();
  const directory = join(dir.path, 'tmp');
  await disk.emptyDirectory(directory);
  await disk.makeDirectoryOf(join(directory, 'sub', 'file'));
  await writeFile(join(directory, 'sub', 'file'), 'x');
  await disk.emptyDirectory(directory);
  expect(await readdir(directory)).toEqual([]);
});

test('what cannot be changed is said with the file and the reason', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'file');
  await writeFile(file, 'x');
  const failed = expect.objectContaining({ code: 'DATA_DIRECTORY_UNUSABLE' }) as unknown;
  await expect(disk.makeDirectoryOf(join(file, 'under', 'a file'))).rejects.toEqual(failed);
  await expect(disk.moveDatabase(join(dir.path, 'not there'), join(dir.path, 'to'))).rejects.toEqual(failed);
  await expect(disk.space(join(dir.path, 'not there'))).rejects.toThrow(/ENOENT/);
});

test('it knows how much room there is', async () => {
  await using dir = await tempDir();
  const { totalBytes, freeBytes } = await disk.space(dir.path);
  expect(freeBytes).toBeGreaterThan(0);
  expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
});
