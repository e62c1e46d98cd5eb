import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BatchedWriter } from '../../../../src/cold/webhdfs/batched-writer.ts';
import { tempDir } from '../../../support/temp-dir.ts';

test('pieces of any size land in their order, and each is told of when it can be read', async () => {
  await using dir = await tempDir();
  const path = join(dir.path, 'file');
  await using file = await open(path, 'w');
  const pieces = [1, 600_000, 0, 65_536, 70_000, 400_000, 3, 524_288, 100].map((bytes) => randomBytes(bytes));
  let told = 0;
  const readable: Promise<boolean>[] = [];
  const writer = new BatchedWriter(file, (piece) => {
    told += piece.length;
    const upTo = told;
    readable.push(readFile(path).then(({ length }) => length >= upTo));
  });
  for (const piece of pieces) await writer.write(piece);
  await writer.end();
  expect((await readFile(path)).equals(Buffer.concat(pieces))).toBe(true);
  expect(told).toBe(pieces.reduce((sum, { length }) => sum + length, 0));
  expect(new Set(await Promise.all(readable))).toEqual(new Set([true]));
});

test('what cannot be written is thrown, with the next piece or at the end', async () => {
  await using file = await open('/dev/full', 'w');
  const writer = new BatchedWriter(file, () => undefined);
  await writer.write(randomBytes(10));
  await expect(writer.end()).rejects.toMatchObject({ code: 'ENOSPC' });
  const another = new BatchedWriter(file, () => undefined);
  await another.write(randomBytes(600_000));
  await expect(
    (async () => {
      for (let piece = 0; piece < 1_000; piece += 1) await another.write(randomBytes(100_000));
    })(),
  ).rejects.toMatchObject({ code: 'ENOSPC' });
});

test('a large file is brought to the disk while more of it comes in, one sync at a time', async () => {
  let [running, most, syncs] = [0, 0, 0];
  const file = fakeFile(async () => {
    running += 1;
    most = Math.max(most, running);
    syncs += 1;
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  });
  const writer = new BatchedWriter(file, () => undefined);
  const piece = randomBytes(8 * 1024 * 1024);
  for (let number = 0; number < 40; number += 1) await writer.write(piece);
  await writer.end();
  expect({ most, syncs, running }).toEqual({ most: 1, syncs: 5, running: 0 });
});

test('a disk that does not take it is told of, though a later sync succeeds', async () => {
  let syncs = 0;
  const file = fakeFile(() => {
    syncs += 1;
    return syncs === 1 ? Promise.reject(new Error('EIO')) : Promise.resolve();
  });
  const writer = new BatchedWriter(file, () => undefined);
  const piece = randomBytes(8 * 1024 * 1024);
  await expect(
    (async () => {
      for (let number = 0; number < 40; number += 1) await writer.write(piece);
      await writer.end();
    })(),
  ).rejects.toThrow('EIO');
});

function fakeFile(datasync: () => Promise<void>): ConstructorParameters<typeof BatchedWriter>[0] {
  const writev = (pieces: readonly Uint8Array[]) =>
    Promise.resolve({ bytesWritten: pieces.reduce((sum, { length }) => sum + length, 0), buffers: pieces });
  return { datasync, writev: writev as FileHandle['writev'] };
}
