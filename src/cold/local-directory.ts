import { link, mkdir, open, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { TroughError } from '../errors.ts';
import { type ColdCare, type Leftover, type ReadBack, type WalkEvent } from './cold-care.ts';
import { type ColdFile, type ColdStore, type Fetched, type ListEvent } from './cold-store.ts';
import { coldFailure, isAbsence, isAbsenceOf, isOutOfRoom, isTaken } from './cold-failure.ts';
import { DirectoryListing } from './directory-listing.ts';
import {
  besides,
  placeDurably,
  readWhole,
  type ReadWhole,
  syncDirectory,
  syncMadeDirectories,
  writeAll,
} from './file-copy.ts';
import { LocalTree } from './local-tree.ts';
import { Places } from './places.ts';
import { StraySearch } from './stray-search.ts';
import { TemporaryFiles } from './temporary-files.ts';
import { walkTree } from './tree-walk.ts';
import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { LOOK_BYTES } from '../model/sqlite-header.ts';

export interface LocalDirectoryOptions {
  /** Made when it is not there yet. May be a mounted network file system. */
  readonly root: string;
  /** The wall clock, ms since 1970; must be within two seconds of the file system's own. */
  readonly now?: () => number;
}

/** Cold storage in a directory of this machine, or of a file system that is mounted on all of them. */
export class LocalDirectory implements ColdStore, ColdCare {
  readonly description: string;
  readonly #root: string;
  readonly #temporary: TemporaryFiles;
  readonly #tree: LocalTree;
  readonly #listing: DirectoryListing;
  readonly #places: Places;

  constructor(options: LocalDirectoryOptions) {
    const now = options.now ?? Date.now;
    this.#root = resolve(options.root);
    this.description = `directory ${this.#root}`;
    this.#temporary = new TemporaryFiles(this.#root, now);
    this.#tree = new LocalTree(this.#root, now);
    this.#listing = new DirectoryListing(this.#tree);
    this.#places = new Places(this.#listing, new StraySearch(this.#tree));
  }

  /** How many directories the listings have read so far: an unchanged one is not read again. */
  get directoriesRead(): number {
    return this.#listing.directoriesRead;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    await this.#doing('a probe of cold storage', this.#root, async () => {
      signal?.throwIfAborted();
      await this.#temporary.prepare();
      await this.#temporary.probe();
    });
  }

  async *list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent> {
    try {
      await this.#temporary.prepare();
      yield* this.#listing.list(cursor, signal);
    } catch (error) {
      throw coldFailure(error, 'listing cold storage', this.#root);
    }
  }

  async stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    return this.#doing(`looking up ${id}`, this.#root, () => this.#locate(id, signal));
  }

  async fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<Fetched> {
    const temporary = besides(to);
    return this.#doing(`fetching ${id}`, to, async () => {
      try {
        const file = await this.#mustLocate(id, signal);
        const read = await orMissing(id, file.path, copyTo(file.path, temporary, signal));
        if (expected.sha256 !== undefined && read.sha256 !== expected.sha256)
          throw await this.#differs(file.path, read, expected.sha256);
        await placeDurably(temporary, to);
        return { sizeBytes: read.sizeBytes, sha256: read.sha256, modifiedMs: read.modifiedMs };
      } catch (error) {
        if (isOutOfRoom(error))
          throw new TroughError('DISK_FULL', `no room for a copy of ${id}`, { segment: id, path: to }, error);
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async publish(
    id: SegmentId,
    from: string,
    sha256: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<ColdFile> {
    const target = join(this.#root, coldPath(id));
    return this.#doing(`publishing ${id}`, target, () =>
      this.#withUpload(id, from, sha256, signal, async (temporary, stored) => {
        await beforeReplacing?.();
        await this.#renameOver(temporary, target);
        return await this.#confirm(id, target, stored);
      }),
    );
  }

  async discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#doing(`discarding uploads of ${id}`, this.#temporary.directory, () => this.#temporary.discard(id));
  }

  /** Also what lies elsewhere under the same id, as far as it was listed: else the segment would come back from there. Empty directories stay, since a publish may be about to use one. */
  async remove(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    return this.#doing(`removing ${id}`, this.#root, async () => {
      const served = await this.#locate(id, signal);
      if (served === undefined) return false;
      await this.#unlink(served.path);
      for (const stray of this.#listing.strays?.all(id) ?? []) await this.#unlink(join(this.#root, stray));
      return true;
    });
  }

  async checksum(id: SegmentId, signal?: AbortSignal): Promise<string> {
    return this.#doing(`reading ${id}`, this.#root, async () => {
      const file = await this.#mustLocate(id, signal);
      const { sha256 } = await orMissing(id, file.path, readWhole(file.path, undefined, signal));
      return sha256;
    });
  }

  async demand(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#doing('looking for cold storage', this.#root, () => this.#temporary.prepare());
  }

  async *walk(after: string | undefined, signal?: AbortSignal): AsyncIterable<WalkEvent> {
    try {
      await this.#temporary.prepare();
      yield* walkTree(this.#tree, after, signal);
    } catch (error) {
      throw coldFailure(error, 'walking through cold storage', this.#root);
    }
  }

  async learn({ id, path }: ColdFile): Promise<void> {
    const isTaken = async (): Promise<boolean> => (await this.#statOne(id, coldPath(id))) !== undefined;
    await this.#doing(`looking for ${id}`, path, () => this.#places.learn(id, relative(this.#root, path), isTaken));
  }

  async head({ id, path }: ColdFile, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    return this.#doing(`reading ${path}`, path, async () => {
      await using file = await orMissing(id, path, open(path, 'r'));
      const { bytesRead, buffer } = await file.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    });
  }

  async readBack(
    id: SegmentId,
    sha256: string | undefined,
    passed: (bytes: number) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReadBack> {
    return this.#doing(`reading ${id}`, this.#root, async () => {
      const { path } = await this.#mustLocate(id, signal);
      let head: Uint8Array = new Uint8Array();
      const pass = (bytes: Uint8Array): Promise<void> => {
        if (head.length === 0) head = Buffer.from(bytes.subarray(0, LOOK_BYTES));
        return passed(bytes.length);
      };
      const read = await orMissing(id, path, readWhole(path, pass, signal));
      if (sha256 !== undefined && read.sha256 !== sha256) throw await this.#differs(path, read, sha256);
      return { sizeBytes: read.sizeBytes, sha256: read.sha256, head };
    });
  }

  async restore(
    id: SegmentId,
    from: string,
    { sha256, modifiedMs }: { readonly sha256: string; readonly modifiedMs: number },
    signal?: AbortSignal,
  ): Promise<ColdFile> {
    const target = join(this.#root, coldPath(id));
    return this.#doing(`publishing ${id} again`, target, () =>
      this.#withUpload(id, from, sha256, signal, async (temporary) => {
        // Half a millisecond more: as a fraction of a second it may come out a little less.
        const time = (modifiedMs + 0.5) / 1_000;
        await utimes(temporary, time, time);
        await this.#placeNew(id, temporary, target);
        return { id, path: target, sizeBytes: (await stat(target)).size, modifiedMs };
      }),
    );
  }

  async leftovers(signal?: AbortSignal): Promise<readonly Leftover[]> {
    signal?.throwIfAborted();
    return this.#doing('looking for leftovers', this.#temporary.directory, () => this.#temporary.leftovers());
  }

  async removeLeftover(leftover: Leftover, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#doing('removing a leftover', leftover.path, () => this.#temporary.removeLeftover(leftover));
  }

  /** `place` gets a temporary file that holds what `sha256` says; the file is gone afterwards. */
  async #withUpload(
    id: SegmentId,
    from: string,
    sha256: string,
    signal: AbortSignal | undefined,
    place: (temporary: string, stored: ReadWhole) => Promise<ColdFile>,
  ): Promise<ColdFile> {
    await this.#temporary.prepare();
    const temporary = this.#temporary.nameFor(id);
    try {
      const sent = await copyTo(from, temporary, signal);
      if (sent.sha256 !== sha256) throw torn(from, sent.sha256, sha256);
      const stored = await readWhole(temporary, undefined, signal);
      if (stored.sha256 !== sha256 || stored.sizeBytes !== sent.sizeBytes) throw torn(temporary, stored.sha256, sha256);
      return await place(temporary, stored);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** A second name for the file: made only where there is none. */
  async #placeNew(id: SegmentId, temporary: string, target: string): Promise<void> {
    const directory = dirname(target);
    const firstMade = await mkdir(directory, { recursive: true });
    try {
      await link(temporary, target);
    } catch (error) {
      if (!isTaken(error)) throw error;
      const message = `${target} is there again, and is not replaced`;
      throw new TroughError('COLD_CHANGED', message, { segment: id, path: target }, error);
    }
    await syncMadeDirectories(directory, firstMade);
  }

  async #renameOver(temporary: string, target: string): Promise<void> {
    const directory = dirname(target);
    const firstMade = await mkdir(directory, { recursive: true });
    await rename(temporary, target);
    await syncMadeDirectories(directory, firstMade);
    await syncDirectory(this.#temporary.directory);
  }

  async #confirm(id: SegmentId, target: string, stored: ReadWhole): Promise<ColdFile> {
    const now = await stat(target, { bigint: true });
    if (now.ino !== stored.inode || now.size !== BigInt(stored.sizeBytes)) {
      throw new TroughError('COLD_CHANGED', `${target} was replaced by another writer as soon as it was there`, {
        segment: id,
        path: target,
      });
    }
    return { id, path: target, sizeBytes: stored.sizeBytes, modifiedMs: Number(now.mtimeNs / 1_000_000n) };
  }

  async #mustLocate(id: SegmentId, signal?: AbortSignal): Promise<ColdFile> {
    const file = await this.#locate(id, signal);
    if (file === undefined) throw new TroughError('COLD_MISSING', `${id} is not in cold storage`, { segment: id });
    return file;
  }

  async #locate(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined> {
    signal?.throwIfAborted();
    return this.#places.first(id, (relative) => this.#statOne(id, relative));
  }

  async #statOne(id: SegmentId, relative: string): Promise<ColdFile | undefined> {
    const path = join(this.#root, relative);
    try {
      const stats = await stat(path);
      return stats.isFile() ? { id, path, sizeBytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) } : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  async #unlink(path: string): Promise<void> {
    try {
      await unlink(path);
      await syncDirectory(dirname(path));
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
  }

  /** The copy is not what was expected: a newer file took its place meanwhile, or it is damaged. */
  async #differs(path: string, read: ReadWhole, expected: string): Promise<TroughError> {
    const now = await stat(path, { bigint: true });
    if (now.ino === read.inode) return torn(path, read.sha256, expected);
    return new TroughError('COLD_CHANGED', `${path} was replaced while it was read`, { path });
  }

  async #doing<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw coldFailure(error, doing, path);
    }
  }
}

/** A new file `to`, synced, with the content of `from`. */
async function copyTo(from: string, to: string, signal?: AbortSignal): Promise<ReadWhole> {
  await using sink = await open(to, 'wx');
  const read = await readWhole(from, (bytes) => writeAll(sink, bytes), signal);
  await sink.sync();
  return read;
}

/** A file that was there a moment ago may be removed by now. */
async function orMissing<T>(id: SegmentId, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isAbsenceOf(error, path)) throw error;
    throw new TroughError('COLD_MISSING', `${id} is not in cold storage any more`, { segment: id, path }, error);
  }
}

function torn(path: string, found: string, expected: string): TroughError {
  return new TroughError(
    'COLD_COPY_TORN',
    `${path} does not hold what it should: its SHA-256 is ${found}, not ${expected}`,
    { path },
  );
}
