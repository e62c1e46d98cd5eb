import { type Stats } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsence } from './cold-failure.ts';
import { type ColdTree, type DirectoryLook, type FileLook, type Found, type FoundName } from './cold-tree.ts';
import { readColdName } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

const STATS_AT_A_TIME = 64;

/** The tree of a local directory. A link to a file is that file; a link to a directory is not followed, since it may lead back. */
export class LocalTree implements ColdTree {
  readonly looksComeFromParents = false;
  readonly looksComeWithNames = false;
  readonly nowMs: () => number;
  readonly #root: string;

  constructor(root: string, now: () => number) {
    this.#root = root;
    this.nowMs = now;
  }

  absolute(path: string): string {
    return join(this.#root, path);
  }

  async lookAt(directory: string): Promise<DirectoryLook | undefined> {
    const stats = await orAbsent(stat(this.absolute(directory)));
    // ctime too, since copying tools set mtime back.
    return stats && { signature: directorySignature(stats), changedMs: Math.max(stats.mtimeMs, stats.ctimeMs) };
  }

  async stat(path: string): Promise<FileLook | undefined> {
    const stats = await orAbsent(stat(this.absolute(path)));
    return stats?.isFile() === true ? lookOf(stats) : undefined;
  }

  async *names(directory: string): AsyncIterable<FoundName> {
    for await (const entry of this.#entries(directory)) {
      yield { name: entry.name, directory: entry.isDirectory() ? {} : undefined };
    }
  }

  async *read(directory: string): AsyncIterable<Found> {
    let batch: Promise<Found | undefined>[] = [];
    for await (const entry of this.#entries(directory)) {
      if (entry.isDirectory()) {
        yield { kind: 'directory', name: entry.name };
        continue;
      }
      const isLink = entry.isSymbolicLink();
      if (!entry.isFile() && !isLink) continue;
      const meaning = readColdName(entry.name);
      if (meaning.kind === 'misnamed') yield { kind: 'misnamed', name: entry.name };
      if (meaning.kind !== 'segment') continue;
      batch.push(lookAtFile(join(this.absolute(directory), entry.name), meaning.id, isLink));
      if (batch.length < STATS_AT_A_TIME) continue;
      yield* settled(batch);
      batch = [];
    }
    yield* settled(batch);
  }

  async *#entries(directory: string): AsyncIterable<{
    readonly name: string;
    isDirectory(): boolean;
    isFile(): boolean;
    isSymbolicLink(): boolean;
  }> {
    const opening = opendir(this.absolute(directory), { bufferSize: 1024 });
    const opened = await (directory === '' ? opening : orAbsent(opening));
    if (opened === undefined) return;
    for await (const entry of opened) if (!entry.name.startsWith('.')) yield entry;
  }
}

async function lookAtFile(path: string, id: SegmentId, isLink: boolean): Promise<Found | undefined> {
  const stats = await orAbsent(isLink ? stat(path) : lstat(path));
  return stats?.isFile() === true ? { kind: 'file', id, look: lookOf(stats) } : undefined;
}

function directorySignature(stats: Stats): string {
  return `${String(stats.ino)}/${String(stats.mtimeMs)}/${String(stats.ctimeMs)}`;
}

/** The inode, since a copying tool may give a new file the old one's size and time; no ctime, which a hard link moves too. */
function lookOf(stats: Stats): FileLook {
  const time = Math.trunc(stats.mtimeMs * 1000).toString(36);
  return {
    sizeBytes: stats.size,
    modifiedMs: Math.trunc(stats.mtimeMs),
    signature: `${stats.size.toString(36)}/${time}/${stats.ino.toString(36)}`,
  };
}

async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function* settled(batch: readonly Promise<Found | undefined>[]): AsyncIterable<Found> {
  for (const found of await Promise.all(batch)) if (found !== undefined) yield found;
}
