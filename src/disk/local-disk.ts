import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TroughError } from '../errors.ts';
import { DigestThread } from './digest-thread.ts';
import { type DirectoryEntry, type Disk, type DiskSpace, type FileDigest } from './disk.ts';

const PIECE_BYTES = 256 * 1024;
const BESIDE = ['-wal', '-shm', '-journal'];

/** The file system of this machine. */
export class LocalDisk implements Disk {
  readonly #digests = new DigestThread();
  readonly #onGone: (file: string) => void;

  /** `onGone`: told of each database that was removed or replaced, once it has happened. Whoever has it open keeps its room on the disk. Must not throw. */
  constructor(onGone: (file: string) => void = () => undefined) {
    this.#onGone = onGone;
  }

  exists(file: string): Promise<boolean> {
    return access(file).then(
      () => true,
      () => false,
    );
  }

  removeDatabase(file: string): Promise<void> {
    return orFail(file, async () => {
      const wasThere = await this.exists(file);
      for (const suffix of ['', ...BESIDE]) await rm(file + suffix, { force: true });
      if (wasThere) this.#onGone(file);
    });
  }

  moveDatabase(from: string, to: string): Promise<void> {
    return orFail(to, async () => {
      await mkdir(dirname(to), { recursive: true });
      for (const suffix of BESIDE) {
        // What lies beside the target belongs to the database that is replaced: SQLite would read it into the new one.
        await rm(to + suffix, { force: true });
        if (await this.exists(from + suffix)) await rename(from + suffix, to + suffix);
      }
      const replaces = await this.exists(to);
      await rename(from, to);
      if (replaces) this.#onGone(to);
      await syncDirectory(dirname(to));
    });
  }

  makeDirectoryOf(file: string): Promise<void> {
    return orFail(file, async () => {
      await mkdir(dirname(file), { recursive: true });
    });
  }

  emptyDirectory(directory: string): Promise<void> {
    return orFail(directory, async () => {
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true });
    });
  }

  space(directory: string): Promise<DiskSpace> {
    return orFail(directory, async () => {
      const { blocks, bavail, bsize } = await statfs(directory);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    });
  }

  list(directory: string): Promise<readonly DirectoryEntry[]> {
    return orFail(directory, async () => {
      const entries = await orNone(readdir(directory, { withFileTypes: true }));
      return (entries ?? []).map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }));
    });
  }

  size(file: string): Promise<number | undefined> {
    return orFail(file, async () => (await orNone(stat(file)))?.size);
  }

  async modified(file: string): Promise<number | undefined> {
    const times = await Promise.all(
      [file, `${file}-wal`].map((part) => orFail(part, async () => (await orNone(stat(part)))?.mtimeMs)),
    );
    return times[0] === undefined ? undefined : Math.max(...times.map((time) => time ?? 0));
  }

  digest(file: string, bytesPerSecond: number, signal?: AbortSignal): Promise<FileDigest> {
    return orUnreadable(file, () => this.#digests.digest(file, bytesPerSecond, signal));
  }

  async *read(file: string): AsyncIterable<Uint8Array> {
    try {
      yield* createReadStream(file, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw unreadable(file, error);
    }
  }

  write(
    file: string,
    pieces: AsyncIterable<Uint8Array>,
    { unsynced = false }: { readonly unsynced?: boolean } = {},
  ): Promise<FileDigest> {
    return orFail(file, async () => {
      await mkdir(dirname(file), { recursive: true });
      const handle = await open(file, 'wx');
      try {
        const hash = createHash('sha256');
        let sizeBytes = 0;
        for await (const piece of pieces) {
          hash.update(piece);
          await handle.writeFile(piece);
          sizeBytes += piece.length;
        }
        if (!unsynced) await handle.sync();
        return { sizeBytes, sha256: hash.digest('hex') };
      } catch (error) {
        await rm(file, { force: true });
        throw error;
      } finally {
        await handle.close();
      }
    });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function orNone<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

async function orUnreadable<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A sector that cannot be read is damage like any other. */
function unreadable(file: string, error: unknown): TroughError {
  if (error instanceof TroughError) return error;
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  const code =
    reason === 'ENOENT' ? 'SEGMENT_UNKNOWN' : reason === 'EIO' ? 'SEGMENT_DAMAGED' : 'DATA_DIRECTORY_UNUSABLE';
  return new TroughError(code, `'${file}' cannot be read: ${reason}`, { file }, error);
}

async function orFail<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What the pieces of a new file ended with is no failure of this disk.
    if (error instanceof TroughError) throw error;
    const reason = (error as NodeJS.ErrnoException).code;
    const code = reason === 'ENOSPC' || reason === 'EDQUOT' ? 'DISK_FULL' : 'DATA_DIRECTORY_UNUSABLE';
    throw new TroughError(code, `'${file}' cannot be changed: ${reason ?? String(error)}`, { file }, error);
  }
}
