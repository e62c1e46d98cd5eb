import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TroughError } from '../errors.ts';
import { isAbsence } from './cold-failure.ts';
import { SharedSyncs } from './shared-syncs.ts';

/** Small enough that hashing one piece never holds up the event loop for a millisecond. */
const PIECE_BYTES = 256 * 1024;
const UNIQUE_LETTERS = 8;
const PART = '.part';

export interface ReadWhole {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
  /** Of the file that was read, which a rename over its path does not change. */
  readonly inode: bigint;
}

/**
 * Reads one file from its beginning to its end, hashing it, and handing it to `sink`, which is waited for. COLD_CHANGED when somebody wrote into it
 * meanwhile. A file that is renamed over meanwhile stays whole under the open handle.
 */
export async function readWhole(
  path: string,
  sink: ((bytes: Uint8Array) => Promise<void>) | undefined,
  signal?: AbortSignal,
): Promise<ReadWhole> {
  await using source = await open(path, 'r');
  const before = await source.stat({ bigint: true });
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(piece, 0, PIECE_BYTES, null);
    if (bytesRead === 0) break;
    const bytes = piece.subarray(0, bytesRead);
    hash.update(bytes);
    await sink?.(bytes);
    sizeBytes += bytesRead;
  }
  const after = await source.stat({ bigint: true });
  if (after.size !== before.size || after.mtimeNs !== before.mtimeNs || BigInt(sizeBytes) !== after.size) {
    throw new TroughError('COLD_CHANGED', `${path} was written to while it was read`, { path });
  }
  return { sizeBytes, sha256: hash.digest('hex'), modifiedMs: Number(before.mtimeNs / 1_000_000n), inode: before.ino };
}

const syncs = new SharedSyncs(async (directory) => {
  await using handle = await open(directory, 'r');
  await handle.sync();
});

/** Makes the names in a directory durable, in one sync with those of others who ask at the same time. */
export function syncDirectory(directory: string): Promise<void> {
  return syncs.sync(directory);
}

/** A hidden name in the same directory, for a file that is to become `to`. */
export function besides(to: string): string {
  return join(dirname(to), `.${basename(to)}.${randomUUID().slice(0, UNIQUE_LETTERS)}${PART}`);
}

/** Whether a name is one that `besides` gives for a file of that name. */
function besidesOf(name: string): (other: string) => boolean {
  const length = 1 + name.length + 1 + UNIQUE_LETTERS + PART.length;
  return (other) => other.length === length && other.startsWith(`.${name}.`) && other.endsWith(PART);
}

/** Takes away what an unfinished fetch to `to` has left: that file, and those beside it. Nobody must be fetching to it. */
export async function discardCopy(to: string): Promise<void> {
  const isPart = besidesOf(basename(to));
  const names = await readdir(dirname(to)).catch((error: unknown) => {
    if (isAbsence(error)) return [];
    throw error;
  });
  for (const name of names) if (isPart(name)) await rm(join(dirname(to), name), { force: true });
  await rm(to, { force: true });
}

/** Makes `leaf` and its parents durable, up to the parent of `firstMade` (what a recursive mkdir says it made first). */
export async function syncMadeDirectories(leaf: string, firstMade: string | undefined): Promise<void> {
  await syncDirectory(leaf);
  if (firstMade === undefined) return;
  const last = dirname(firstMade);
  for (let at = dirname(leaf); at.length >= last.length; at = dirname(at)) {
    await syncDirectory(at);
    if (at === dirname(at)) return;
  }
}

/** Renames and makes the name durable; when that fails there is no `to`. */
export async function placeDurably(temporary: string, to: string): Promise<void> {
  await rename(temporary, to);
  try {
    await syncDirectory(dirname(to));
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
}

export async function writeAll(sink: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await sink.write(bytes, written, bytes.length - written, null);
    written += bytesWritten;
  }
}
