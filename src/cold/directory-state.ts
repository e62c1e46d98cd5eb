import { type Stats } from 'node:fs';
import { type SegmentId } from '../model/segment-id.ts';

/** A change that falls into the same tick of the file system's clock as our look at the directory may leave its times as they were. */
const DIRECTORY_SETTLED_MS = 2_000;
/** A file that was written so lately may be written in place still, which its directory does not show. */
const FILE_SETTLED_MS = 60_000;

/** What a listing remembers of one directory. Compact: one buffer holds all its files, 22 bytes each beside the name. */
export interface DirectoryState {
  readonly signature: string;
  /** Too young to be trusted: to be read again next time, whatever its times say. */
  readonly unsettled: boolean;
  readonly subdirectories: readonly string[];
  readonly files: Buffer;
  /** Files at their canonical path. */
  readonly canonical: number;
}

/** Changes whenever a name in the directory does. ctime too, since copying tools set mtime back. */
export function directorySignature(stats: Stats): string {
  return `${String(stats.ino)}/${String(stats.mtimeMs)}/${String(stats.ctimeMs)}`;
}

/** Changes with the content. The inode, since a copying tool may give a new file the old one's size and time; no ctime, which a hard link moves too. */
export function fileSignature(stats: Stats): string {
  return `${stats.size.toString(36)}/${Math.trunc(stats.mtimeMs * 1000).toString(36)}/${stats.ino.toString(36)}`;
}

/** The remembered files: id → signature. */
export function decodeFiles(state: DirectoryState | undefined): Map<SegmentId, string> {
  const files = new Map<SegmentId, string>();
  if (state === undefined || state.files.length === 0) return files;
  for (const line of state.files.toString('utf8').split('\n')) {
    const end = line.indexOf('/');
    files.set(line.slice(0, end) as SegmentId, line.slice(end + 1));
  }
  return files;
}

/** Collects one directory while it is read. */
export class DirectoryStateBuilder {
  readonly #signature: string;
  readonly #nowMs: number;
  readonly #subdirectories: string[] = [];
  readonly #lines: string[] = [];
  #unsettled: boolean;
  #canonical = 0;

  /** `stats` were taken before the directory is read, so that a change during the reading shows next time. */
  constructor(stats: Stats, nowMs: number) {
    this.#signature = directorySignature(stats);
    this.#nowMs = nowMs;
    this.#unsettled = Math.max(stats.mtimeMs, stats.ctimeMs) > nowMs - DIRECTORY_SETTLED_MS;
  }

  addDirectory(name: string): void {
    this.#subdirectories.push(name);
  }

  addFile(id: SegmentId, stats: Stats, isCanonical: boolean): void {
    this.#lines.push(`${id}/${fileSignature(stats)}`);
    if (isCanonical) this.#canonical += 1;
    if (stats.mtimeMs > this.#nowMs - FILE_SETTLED_MS) this.#unsettled = true;
  }

  build(): DirectoryState {
    return {
      signature: this.#signature,
      unsettled: this.#unsettled,
      subdirectories: this.#subdirectories.sort(),
      files: Buffer.from(this.#lines.join('\n'), 'utf8'),
      canonical: this.#canonical,
    };
  }
}
