import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { tempDir } from './temp-dir.ts';

const run = promisify(execFile);

/** A file system of its own that can be filled up. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Leaves no byte free. */
  fill(): Promise<void>;
  /** Undoes `fill`. */
  makeRoom(): Promise<void>;
}

/** Of so many MiB, until it is disposed of: nobody may have it open then. */
export async function smallDisk(sizeMiB: number): Promise<SmallDisk> {
  const dir = await tempDir();
  const path = `${dir.path}/disk`;
  const ballast = `${path}/ballast`;
  await mkdir(path);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeMiB)}m`, 'tmpfs', path]);
  } catch (error) {
    await dir[Symbol.asyncDispose]();
    throw error;
  }
  return {
    path,
    fill: async () => {
      await using file = await open(ballast, 'a');
      for (let pageBytes = 2 ** 20; pageBytes >= 1;) {
        const isFull = await file.write(Buffer.alloc(pageBytes)).then(
          () => false,
          (error: unknown) => {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
            return true;
          },
        );
        if (isFull) pageBytes = Math.floor(pageBytes / 16);
      }
    },
    makeRoom: () => rm(ballast),
    [Symbol.asyncDispose]: async () => {
      await run('umount', [path]);
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Mounting is for root alone, and not for root in every container. */
export function mayMountDisks(): Promise<boolean> {
  return smallDisk(1).then(
    async (disk) => {
      await disk[Symbol.asyncDispose]();
      return true;
    },
    () => false,
  );
}
