import { randomUUID } from 'node:crypto';
import { TroughError } from '../errors.ts';
import { type ListEvent } from './cold-store.ts';
import { type ColdTree, type DirectoryLook, type FileLook } from './cold-tree.ts';
import { decodeFiles, type DirectoryState, DirectoryStateBuilder } from './directory-state.ts';
import { StrayFiles } from './stray-files.ts';
import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

interface Memory {
  readonly cursor: string;
  readonly directories: ReadonlyMap<string, DirectoryState>;
  readonly strays: StrayFiles;
}

/** What the reading of one directory has to do with the rest of the listing. */
interface Round {
  readonly strays: StrayFiles;
  readonly looks: Map<string, DirectoryLook | undefined>;
  /** Nothing was listed before. */
  readonly isFirst: boolean;
}

/**
 * Lists a tree of segments again and again, reading only the directories that changed. What was seen is kept in memory, under the cursor
 * of the listing that saw it; a listing owns that memory while it runs, so one that is broken off leaves none and the next lists everything.
 */
export class DirectoryListing {
  readonly #tree: ColdTree;
  #memory: Memory | undefined;
  #strays: StrayFiles | undefined;
  #directoriesRead = 0;

  constructor(tree: ColdTree) {
    this.#tree = tree;
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
    const ahead: { readonly path: string; readonly look?: DirectoryLook | undefined }[] = [{ path: '' }];
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
      signal?.throwIfAborted();
      const { path } = at;
      const look = at.look ?? (await this.#tree.lookAt(path, signal));
      if (look === undefined && path !== '') continue;
      if (look === undefined) throw new TroughError('COLD_FAILED', `${this.#tree.absolute('')} is not there`);
      const before = known?.directories.get(path);
      const looks = new Map<string, DirectoryLook | undefined>();
      const state = this.#isUnchanged(before, look)
        ? before
        : yield* this.#read(path, look, before, { strays, looks, isFirst: known === undefined }, signal);
      directories.set(path, state);
      for (const name of state.subdirectories.toReversed()) {
        ahead.push({ path: path === '' ? name : `${path}/${name}`, look: looks.get(name) });
      }
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

  #isUnchanged(before: DirectoryState | undefined, look: DirectoryLook): before is DirectoryState {
    if (before === undefined || before.unsettled || before.signature !== look.signature) return false;
    return !this.#tree.looksComeFromParents || before.subdirectories.length === 0;
  }

  /** Reads one directory; what it tells of those inside goes into `looks`. */
  async *#read(
    directory: string,
    look: DirectoryLook,
    before: DirectoryState | undefined,
    { strays, looks, isFirst }: Round,
    signal?: AbortSignal,
  ): AsyncGenerator<ListEvent, DirectoryState> {
    this.#directoriesRead += 1;
    const builder = new DirectoryStateBuilder(look, this.#tree.nowMs());
    const missing = decodeFiles(before);
    const isKnown = (id: SegmentId, file: FileLook): boolean => missing.get(id) === file.signature;
    for await (const found of this.#tree.read(directory, isFirst ? undefined : isKnown, signal)) {
      switch (found.kind) {
        case 'directory':
          builder.addDirectory(found.name);
          looks.set(found.name, found.look);
          break;
        case 'misnamed': {
          const path = directory === '' ? found.name : `${directory}/${found.name}`;
          yield { kind: 'ignored', path: this.#tree.absolute(path), why: 'its name is not a segment id' };
          break;
        }
        case 'unfinished': {
          const path = pathOf(directory, found.id);
          builder.addUnfinished(found.id, missing.get(found.id), path === coldPath(found.id));
          missing.delete(found.id);
          yield { kind: 'ignored', path: this.#tree.absolute(path), why: found.why };
          break;
        }
        case 'file': {
          const path = pathOf(directory, found.id);
          const knownAs = missing.get(found.id);
          missing.delete(found.id);
          builder.addFile(found.id, found.look, path === coldPath(found.id));
          if (knownAs !== found.look.signature) yield* this.#seen(found.id, path, found.look, strays);
          break;
        }
      }
    }
    for (const id of missing.keys()) yield* this.#vanished(id, pathOf(directory, id), strays);
    return builder.build();
  }

  /** A file that is new or changed. */
  async *#seen(id: SegmentId, path: string, look: FileLook, strays: StrayFiles): AsyncIterable<ListEvent> {
    if (path === coldPath(id)) {
      if (!strays.isCanonicalTaken(id)) {
        for (const stray of strays.all(id)) yield this.#duplicate(stray, path);
        strays.setCanonicalTaken(id, true);
      }
      yield this.#file(id, path, look);
      return;
    }
    const servedBefore = strays.first(id);
    const isTaken = (await this.#tree.stat(coldPath(id))) !== undefined;
    strays.add(id, path, isTaken);
    const served = isTaken ? coldPath(id) : (strays.first(id) ?? path);
    if (served !== path) {
      yield this.#duplicate(path, served);
      return;
    }
    if (servedBefore !== undefined && servedBefore !== path) yield this.#duplicate(servedBefore, path);
    yield this.#file(id, path, look);
  }

  /** A file that is there no more: the next stray of the same id takes its place, or the segment is gone. */
  async *#vanished(id: SegmentId, path: string, strays: StrayFiles): AsyncIterable<ListEvent> {
    const wasCanonical = path === coldPath(id);
    const wasServed = wasCanonical || (!strays.isCanonicalTaken(id) && strays.first(id) === path);
    if (wasCanonical) strays.setCanonicalTaken(id, false);
    else strays.remove(id, path);
    if (!wasServed) return;
    for (const next of strays.all(id)) {
      const look = await this.#tree.stat(next);
      if (look !== undefined) {
        yield this.#file(id, next, look);
        return;
      }
      strays.remove(id, next);
    }
    yield { kind: 'gone', id, path: this.#tree.absolute(path) };
  }

  #file(id: SegmentId, path: string, look: FileLook): ListEvent {
    const { sizeBytes, modifiedMs } = look;
    const file = { id, path: this.#tree.absolute(path), sizeBytes, modifiedMs };
    return { kind: 'file', file };
  }

  #duplicate(path: string, served: string): ListEvent {
    return {
      kind: 'ignored',
      path: this.#tree.absolute(path),
      why: `the segment lies at ${this.#tree.absolute(served)} too, which is served`,
    };
  }
}

function pathOf(directory: string, id: SegmentId): string {
  return `${directory === '' ? '' : `${directory}/`}${id}.sqlite`;
}
