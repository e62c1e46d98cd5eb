import { access, mkdir, open, rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Disk, type DiskSpace } from './disk.ts';

const BESIDE = ['-wal', '-shm', '-journal'];

/** The file system of this machine. */
export class LocalDisk implements Disk {
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
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function orFail<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    const code = reason === 'ENOSPC' || reason === 'EDQUOT' ? 'DISK_FULL' : 'DATA_DIRECTORY_UNUSABLE';
    throw new TroughError(code, `'${file}' cannot be changed: ${reason ?? String(error)}`, { file }, error);
  }
}
