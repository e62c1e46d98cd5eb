import { randomUUID } from 'node:crypto';
import { type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ListEvent } from './cold-store.ts';
import { isAbsence } from './cold-failure.ts';
import { readDirectory } from './directory-reading.ts';
import {
  decodeFiles,
  directorySignature,
  type DirectoryState,
  DirectoryStateBuilder,
  fileSignature,
} from './directory-state.ts';
import { StrayFiles } from './stray-files.ts';
import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

interface Memory {
  readonly cursor: string;
  readonly directories: ReadonlyMap<string, DirectoryState>;
  readonly strays: StrayFiles;
}

/**
 * Lists a tree of segments again and again, reading only the directories that changed. What was seen is kept in memory, under the cursor
 * of the listing that saw it; a listing owns that memory while it runs, so one that is broken off leaves none and the next lists everything.
 */
export class DirectoryListing {
  readonly #root: string;
  readonly #now: () => number;
  #memory: Memory | undefined;
  #strays: StrayFiles | undefined;
  #directoriesRead = 0;

  constructor(root: string, now: () => number) {
    this.#root = root;
    this.#now = now;
  }

  /** How many directories were read so far, over all listings. */
  get directoriesRead(): number {
    return this.#directoriesRead;
  }

  /** The strays of the last listing that came to its end (or of the one that runs on it); undefined before the first. */
  get strays(): StrayFiles | undefined {
    return this.#strays;
  }

  async *list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    const known = cursor === this.#memory?.cursor ? this.#memory : undefined;
    if (known !== undefined) this.#memory = undefined;
    const strays = known?.strays ?? new StrayFiles();
    const directories = new Map<string, DirectoryState>();
    const ahead = [''];
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
      signal?.throwIfAborted();
      const state = yield* this.#visit(at, known?.directories.get(at), strays);
      if (state === undefined) continue;
      directories.set(at, state);
      for (const name of state.subdirectories.toReversed()) ahead.push(at === '' ? name : `${at}/${name}`);
    }
    for (const [directory, state] of known?.directories ?? []) {
      if (directories.has(directory)) continue;
      for (const id of decodeFiles(state).keys()) yield* this.#vanished(id, pathOf(directory, id), strays);
    }
    this.#strays = strays;
    this.#memory = { cursor: randomUUID(), directories, strays };
    let files = strays.served;
    for (const state of directories.values()) files += state.canonical;
    const done = { kind: 'done', cursor: this.#memory.cursor, files } as const;
    yield known === undefined ? { ...done, complete: true } : done;
  }

  /** The directory's state now; undefined when it is gone. Only the root must be there. */
  async *#visit(
    directory: string,
    before: DirectoryState | undefined,
    strays: StrayFiles,
  ): AsyncGenerator<ListEvent, DirectoryState | undefined> {
    try {
      const stats = await stat(join(this.#root, directory));
      if (before !== undefined && !before.unsettled && before.signature === directorySignature(stats)) return before;
      return yield* this.#read(directory, stats, before, strays);
    } catch (error) {
      if (directory !== '' && isAbsence(error)) return undefined;
      throw error;
    }
  }

  async *#read(
    directory: string,
    directoryStats: Stats,
    before: DirectoryState | undefined,
    strays: StrayFiles,
  ): AsyncGenerator<ListEvent, DirectoryState> {
    this.#directoriesRead += 1;
    const builder = new DirectoryStateBuilder(directoryStats, this.#now());
    const missing = decodeFiles(before);
    for await (const found of readDirectory(join(this.#root, directory))) {
      switch (found.kind) {
        case 'directory':
          builder.addDirectory(found.name);
          break;
        case 'misnamed':
          yield { kind: 'ignored', path: join(this.#root, directory, found.name), why: 'its name is not a segment id' };
          break;
        case 'file': {
          const path = pathOf(directory, found.id);
          const knownAs = missing.get(found.id);
          missing.delete(found.id);
          builder.addFile(found.id, found.stats, path === coldPath(found.id));
          if (knownAs !== fileSignature(found.stats)) yield* this.#seen(found.id, path, found.stats, strays);
          break;
        }
      }
    }
    for (const id of missing.keys()) yield* this.#vanished(id, pathOf(directory, id), strays);
    return builder.build();
  }

  /** A file that is new or changed. */
  async *#seen(id: SegmentId, path: string, stats: Stats, strays: StrayFiles): AsyncIterable<ListEvent> {
    if (path === coldPath(id)) {
      if (!strays.isCanonicalTaken(id)) {
        for (const stray of strays.all(id)) yield this.#duplicate(stray, path);
        strays.setCanonicalTaken(id, true);
      }
      yield this.#file(id, path, stats);
      return;
    }
    const servedBefore = strays.first(id);
    const isTaken = (await this.#statFile(coldPath(id))) !== undefined;
    strays.add(id, path, isTaken);
    const served = isTaken ? coldPath(id) : (strays.first(id) ?? path);
    if (served !== path) {
      yield this.#duplicate(path, served);
      return;
    }
    if (servedBefore !== undefined && servedBefore !== path) yield this.#duplicate(servedBefore, path);
    yield this.#file(id, path, stats);
  }

  /** A file that is there no more: the next stray of the same id takes its place, or the segment is gone. */
  async *#vanished(id: SegmentId, path: string, strays: StrayFiles): AsyncIterable<ListEvent> {
    const wasCanonical = path === coldPath(id);
    const wasServed = wasCanonical || (!strays.isCanonicalTaken(id) && strays.first(id) === path);
    if (wasCanonical) strays.setCanonicalTaken(id, false);
    else strays.remove(id, path);
    if (!wasServed) return;
    for (const next of strays.all(id)) {
      const stats = await this.#statFile(next);
      if (stats !== undefined) {
        yield this.#file(id, next, stats);
        return;
      }
      strays.remove(id, next);
    }
    yield { kind: 'gone', id, path: join(this.#root, path) };
  }

  #file(id: SegmentId, path: string, stats: Stats): ListEvent {
    const file = { id, path: join(this.#root, path), sizeBytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) };
    return { kind: 'file', file };
  }

  #duplicate(path: string, served: string): ListEvent {
    return {
      kind: 'ignored',
      path: join(this.#root, path),
      why: `the segment lies at ${join(this.#root, served)} too, which is served`,
    };
  }

  async #statFile(path: string): Promise<Stats | undefined> {
    try {
      const stats = await stat(join(this.#root, path));
      return stats.isFile() ? stats : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }
}

function pathOf(directory: string, id: SegmentId): string {
  return `${directory === '' ? '' : `${directory}/`}${id}.sqlite`;
}
