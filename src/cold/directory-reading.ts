import { type Stats } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsence } from './cold-failure.ts';
import { readColdName } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

/** One thing in a directory of cold storage. */
export type Found =
  | { readonly kind: 'directory'; readonly name: string }
  | { readonly kind: 'file'; readonly id: SegmentId; readonly stats: Stats }
  | { readonly kind: 'misnamed'; readonly name: string };

const STATS_AT_A_TIME = 64;

/** Everything that counts in one directory, streamed, in no order. Hidden names and other endings are left out; what vanishes meanwhile too. */
export async function* readDirectory(directory: string): AsyncIterable<Found> {
  let batch: Promise<Found | undefined>[] = [];
  for await (const entry of await opendir(directory, { bufferSize: 1024 })) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) {
      yield { kind: 'directory', name: entry.name };
      continue;
    }
    const isLink = entry.isSymbolicLink();
    if (!entry.isFile() && !isLink) continue;
    const meaning = readColdName(entry.name);
    if (meaning.kind === 'misnamed') yield { kind: 'misnamed', name: entry.name };
    if (meaning.kind !== 'segment') continue;
    batch.push(lookAt(join(directory, entry.name), meaning.id, isLink));
    if (batch.length < STATS_AT_A_TIME) continue;
    yield* settled(batch);
    batch = [];
  }
  yield* settled(batch);
}

/** A link to a file is that file; a link to a directory is not followed, since it may lead back. */
async function lookAt(path: string, id: SegmentId, isLink: boolean): Promise<Found | undefined> {
  try {
    const stats = await (isLink ? stat(path) : lstat(path));
    return stats.isFile() ? { kind: 'file', id, stats } : undefined;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function* settled(batch: readonly Promise<Found | undefined>[]): AsyncIterable<Found> {
  for (const found of await Promise.all(batch)) if (found !== undefined) yield found;
}
