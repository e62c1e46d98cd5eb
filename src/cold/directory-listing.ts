import { randomUUID } from 'node:crypto';
import { TroughError } from '../errors.ts';
import { type ListEvent } from './cold-store.ts';
import { type ColdTree, type DirectoryLook, type FileLook } from './cold-tree.ts';
import { type FoundOrListed, looksAt, pathIn, pathOf, readUnlisted } from './directory-reading.ts';
import { Sightings } from './directory-sightings.ts';
import {
  decodeFiles,
  type DirectoryState,
  DirectoryStateBuilder,
  fingerprint,
  type Remembered,
} from './directory-state.ts';
import { StrayFiles } from './stray-files.ts';
import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

interface Memory {
  readonly cursor: string;
  readonly directories: ReadonlyMap<string, DirectoryState>;
  readonly strays: StrayFiles;
}

/** A directory with files that were listed before and are still to be looked at: all of them, or those that were young. */
interface Unlooked {
  readonly directory: string;
  readonly look: DirectoryLook;
  readonly nowMs: number;
  readonly onlyYoung: boolean;
}

/** What the reading of one directory has to do with the rest of the listing. */
interface Round {
  readonly sightings: Sightings;
  readonly looks: Map<string, DirectoryLook | undefined>;
  readonly unlooked: Unlooked[];
  /** Nothing was listed before. */
  readonly isFirst: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Lists a tree of segments again and again, reading only the directories that changed. What was seen is kept in memory, under the cursor
 * of the listing that saw it; a listing owns that memory while it runs, so one that is broken off leaves none and the next lists everything.
 *
 * Where each look at a file costs a call, new and vanished names of all directories come first, as quickly as names are read; then the looks at
 * the files that were known, of which some may have been replaced.
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
    const sightings = new Sightings(this.#tree, strays);
    const unlooked: Unlooked[] = [];
    const directories = yield* this.#readAll(known, { sightings, unlooked, isFirst: known === undefined, signal });
    for (const [directory, state] of known?.directories ?? []) {
      if (directories.has(directory)) continue;
      for (const id of decodeFiles(directory, state).keys()) yield* sightings.vanished(id, pathOf(directory, id));
    }
    if (unlooked.length > 0) yield { kind: 'named' };
    for (const one of unlooked) {
      const state = yield* this.#lookAgain(one, directories.get(one.directory), sightings, signal);
      directories.set(one.directory, state);
    }
    this.#strays = strays;
    this.#memory = { cursor: randomUUID(), directories, strays };
    let files = strays.served;
    for (const state of directories.values()) files += state.canonical;
    const done = { kind: 'done', cursor: this.#memory.cursor, files } as const;
    yield known === undefined ? { ...done, complete: true } : done;
  }

  async *#readAll(
    known: Memory | undefined,
    round: Omit<Round, 'looks'>,
  ): AsyncGenerator<ListEvent, Map<string, DirectoryState>> {
    const directories = new Map<string, DirectoryState>();
    const ahead: { readonly path: string; readonly look?: DirectoryLook | undefined }[] = [{ path: '' }];
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
      round.signal?.throwIfAborted();
      const { path } = at;
      const look = at.look ?? (await this.#tree.lookAt(path, round.signal));
      if (look === undefined && path !== '') continue;
      if (look === undefined) throw new TroughError('COLD_FAILED', `${this.#tree.absolute('')} is not there`);
      const before = known?.directories.get(path);
      const looks = new Map<string, DirectoryLook | undefined>();
      const isUnchanged = this.#isUnchanged(before, look);
      const state = isUnchanged ? before : yield* this.#read(path, look, before, { ...round, looks });
      directories.set(path, state);
      if (isUnchanged && state.young > 0) {
        round.unlooked.push({ directory: path, look, nowMs: this.#tree.nowMs(), onlyYoung: true });
      }
      for (const name of state.subdirectories.toReversed()) {
        ahead.push({ path: pathIn(path, name), look: looks.get(name) });
      }
    }
    return directories;
  }

  /** By its names, and, where these tell it, by how its files look. */
  #isUnchanged(before: DirectoryState | undefined, look: DirectoryLook): before is DirectoryState {
    if (before === undefined || before.unsettled || before.signature !== look.signature) return false;
    if (this.#tree.looksComeWithNames && before.young > 0) return false;
    return !this.#tree.looksComeFromParents || before.subdirectories.length === 0;
  }

  /** Reads one directory; what it tells of those inside goes into `looks`, and itself into `unlooked` when files in it were not looked at. */
  async *#read(
    directory: string,
    look: DirectoryLook,
    before: DirectoryState | undefined,
    { sightings, looks, unlooked, isFirst, signal }: Round,
  ): AsyncGenerator<ListEvent, DirectoryState> {
    this.#directoriesRead += 1;
    const nowMs = this.#tree.nowMs();
    const builder = new DirectoryStateBuilder(directory, look, nowMs);
    const missing = decodeFiles(directory, before);
    const isCanonical = (id: SegmentId): boolean => pathOf(directory, id) === coldPath(id);
    let listed = 0;
    for await (const found of this.#found(directory, missing, isFirst, signal)) {
      switch (found.kind) {
        case 'directory':
          builder.addDirectory(found.name);
          looks.set(found.name, found.look);
          break;
        case 'misnamed':
          yield this.#ignored(pathIn(directory, found.name), 'its name is not a segment id');
          break;
        case 'unfinished':
          builder.addUnfinished(found.id, missing.get(found.id), isCanonical(found.id));
          missing.delete(found.id);
          yield this.#ignored(pathOf(directory, found.id), found.why);
          break;
        case 'listed':
          listed += 1;
          builder.keep(found.id, found.as, isCanonical(found.id));
          missing.delete(found.id);
          break;
        case 'file': {
          const knownAs = missing.get(found.id)?.fingerprint;
          missing.delete(found.id);
          const seenAs = builder.addFile(found.id, found.look, isCanonical(found.id));
          if (knownAs !== seenAs) yield* sightings.seen(found.id, pathOf(directory, found.id), found.look);
          break;
        }
      }
    }
    for (const id of missing.keys()) yield* sightings.vanished(id, pathOf(directory, id));
    if (listed > 0) unlooked.push({ directory, look, nowMs, onlyYoung: false });
    return builder.build();
  }

  #found(
    directory: string,
    known: ReadonlyMap<SegmentId, Remembered>,
    isFirst: boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<FoundOrListed> {
    if (!this.#tree.looksComeWithNames && known.size > 0) return readUnlisted(this.#tree, directory, known, signal);
    const isKnown = (id: SegmentId, file: FileLook): boolean => known.get(id)?.fingerprint === fingerprint(file);
    return this.#tree.read(directory, isFirst ? undefined : isKnown, signal);
  }

  /** Looks at files of a directory whose names are known. */
  async *#lookAgain(
    { directory, look, nowMs, onlyYoung }: Unlooked,
    named: DirectoryState | undefined,
    sightings: Sightings,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ListEvent, DirectoryState> {
    const builder = new DirectoryStateBuilder(directory, look, nowMs);
    for (const name of named?.subdirectories ?? []) builder.addDirectory(name);
    const files = decodeFiles(directory, named);
    const ids: SegmentId[] = [];
    for (const [id, file] of files) {
      if (!onlyYoung || file.isYoung) ids.push(id);
      else builder.keep(id, file, pathOf(directory, id) === coldPath(id));
    }
    for await (const { id, look: file } of looksAt(this.#tree, directory, ids, signal)) {
      const path = pathOf(directory, id);
      const knownAs = files.get(id)?.fingerprint;
      if (file === undefined) yield* sightings.vanished(id, path);
      else if (builder.addFile(id, file, path === coldPath(id)) !== knownAs) yield* sightings.seen(id, path, file);
    }
    return builder.build();
  }

  #ignored(path: string, why: string): ListEvent {
    return { kind: 'ignored', path: this.#tree.absolute(path), why };
  }
}
