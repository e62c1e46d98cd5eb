import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Leftover } from './cold-care.ts';
import { isAbsence } from './cold-failure.ts';
import { syncDirectory } from './file-copy.ts';
import { isUploadOf } from './upload-names.ts';
import { type SegmentId } from '../model/segment-id.ts';

const DIRECTORY = '.trough-tmp';
const LEFT_OVER_AFTER_MS = 24 * 60 * 60 * 1000;

/**
 * Half-made files of cold storage, in a hidden directory beside the listed tree and on the same file system. The directory is also the sign by
 * which a storage that was there before is known again: once seen, its absence means that the storage is not mounted, not that it is empty.
 */
export class TemporaryFiles {
  readonly directory: string;
  readonly #root: string;
  readonly #now: () => number;
  #prepared: Promise<void> | undefined;

  constructor(root: string, now: () => number) {
    this.#root = root;
    this.directory = join(root, DIRECTORY);
    this.#now = now;
  }

  /** The first call makes root and directory, and removes what crashed publishes left a day ago or longer; later ones demand the directory. */
  async prepare(): Promise<void> {
    if (this.#prepared !== undefined) {
      await this.#prepared;
      await this.#demand();
      return;
    }
    const prepared = this.#makeAndSweep();
    this.#prepared = prepared;
    try {
      await prepared;
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  /** A name that nobody else has, beginning with the segment's id. */
  nameFor(id: SegmentId): string {
    return join(this.directory, `${id}.${randomUUID()}.part`);
  }

  /** Everybody's of this segment. */
  async discard(id: SegmentId): Promise<void> {
    await this.prepare();
    const names = (await readdir(this.directory)).filter((name) => isUploadOf(id, name));
    if (names.length === 0) return;
    for (const name of names) await rm(join(this.directory, name), { force: true });
    await syncDirectory(this.directory);
  }

  /** Writes, reads back and removes a file. */
  async probe(): Promise<void> {
    const path = join(this.directory, `probe.${randomUUID()}`);
    const content = `trough ${String(this.#now())}`;
    try {
      {
        await using file = await open(path, 'wx');
        await file.writeFile(content);
        await file.sync();
      }
      if ((await readFile(path, 'utf8')) !== content)
        throw new TroughError('COLD_FAILED', `${path} does not hold what was written to it`);
    } finally {
      await rm(path, { force: true });
    }
  }

  /** Those that are older than a day. */
  async leftovers(): Promise<readonly Leftover[]> {
    const found: Leftover[] = [];
    for (const name of await readdir(this.directory)) {
      const path = join(this.directory, name);
      try {
        const { size, mtimeMs } = await stat(path);
        if (mtimeMs < this.#now() - LEFT_OVER_AFTER_MS) {
          found.push({ path, sizeBytes: size, modifiedMs: Math.trunc(mtimeMs) });
        }
      } catch (error) {
        if (!isAbsence(error)) throw error;
      }
    }
    return found;
  }

  async removeLeftover({ path }: Leftover): Promise<void> {
    await rm(path, { force: true });
  }

  async #makeAndSweep(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
    for (const leftover of await this.leftovers()) await this.removeLeftover(leftover);
  }

  async #demand(): Promise<void> {
    try {
      await stat(this.directory);
    } catch (error) {
      if (!isAbsence(error)) throw error;
      const message = `${this.directory} is gone: ${this.#root} looks unmounted (if it is the right one, make that directory again)`;
      throw new TroughError('COLD_FAILED', message, { path: this.#root }, error);
    }
  }
}
