import { type DirectoryLook, type FileLook } from './cold-tree.ts';
import { type SegmentId } from '../model/segment-id.ts';

/** A change that falls into the same tick of the storage's clock as our look at the directory may leave its times as they were. */
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

export function isUnsettled(look: DirectoryLook, nowMs: number): boolean {
  return look.changedMs > nowMs - DIRECTORY_SETTLED_MS;
}

/** Whether a file may be written in place still. */
export function isYoung(modifiedMs: number, nowMs: number): boolean {
  return modifiedMs > nowMs - FILE_SETTLED_MS;
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

  /** The look was taken before the directory is read, so that a change during the reading shows next time. */
  constructor(look: DirectoryLook, nowMs: number) {
    this.#signature = look.signature;
    this.#nowMs = nowMs;
    this.#unsettled = isUnsettled(look, nowMs);
  }

  addDirectory(name: string): void {
    this.#subdirectories.push(name);
  }

  addFile(id: SegmentId, look: FileLook, isCanonical: boolean): void {
    this.#add(id, look.signature, isCanonical);
    if (isYoung(look.modifiedMs, this.#nowMs)) this.#unsettled = true;
  }

  /** One that is not all there. As it was listed before, where it was: it neither came nor went. */
  addUnfinished(id: SegmentId, listedAs: string | undefined, isCanonical: boolean): void {
    if (listedAs !== undefined) this.#add(id, listedAs, isCanonical);
    this.#unsettled = true;
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

  #add(id: SegmentId, signature: string, isCanonical: boolean): void {
    this.#lines.push(`${id}/${signature}`);
    if (isCanonical) this.#canonical += 1;
  }
}
