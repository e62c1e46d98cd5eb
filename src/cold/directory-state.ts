import { hash } from 'node:crypto';
import { type DirectoryLook, type FileLook } from './cold-tree.ts';
import { type SegmentId } from '../model/segment-id.ts';

/** A change that falls into the same tick of the storage's clock as our look at the directory may leave its times as they were. */
const DIRECTORY_SETTLED_MS = 2_000;
/** A file that was written so lately may be written in place still, which its directory does not show. */
const FILE_SETTLED_MS = 60_000;
/** Of base64url: 48 bits. Of so many changes one in 2^48 is not seen before the next complete listing. */
const FINGERPRINT_CHARACTERS = 8;
/** Stands before an id that does not begin with the name of its directory; in no id. */
const WHOLE = '/';
/** Stands before the fingerprint of a file that was young. */
const YOUNG = '*';

/** What a listing remembers of one directory. Compact: one buffer holds all its files, in canonical places 12 bytes each. */
export interface DirectoryState {
  readonly signature: string;
  /** Too young to be trusted, or with unfinished files in it: to be read again next time, whatever its times say. */
  readonly unsettled: boolean;
  /** How many of its files may have been written in place since, which its times do not show. */
  readonly young: number;
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

/** What is remembered of a file's looks. */
export function fingerprint({ signature }: FileLook): string {
  return hash('sha1', signature, 'base64url').slice(0, FINGERPRINT_CHARACTERS);
}

export interface Remembered {
  readonly fingerprint: string;
  readonly isYoung: boolean;
}

/** The remembered files of a directory. */
export function decodeFiles(directory: string, state: DirectoryState | undefined): Map<SegmentId, Remembered> {
  const files = new Map<SegmentId, Remembered>();
  if (state === undefined || state.files.length === 0) return files;
  const stem = stemOf(directory);
  for (const line of state.files.toString('utf8').split('\n')) {
    const isYoung = line.startsWith(YOUNG);
    const at = isYoung ? YOUNG.length : 0;
    const rest = line.slice(at + FINGERPRINT_CHARACTERS);
    const id = rest.startsWith(WHOLE) ? rest.slice(WHOLE.length) : `${stem}${rest}`;
    files.set(id as SegmentId, { fingerprint: line.slice(at, at + FINGERPRINT_CHARACTERS), isYoung });
  }
  return files;
}

/** Collects one directory while it is read. */
export class DirectoryStateBuilder {
  readonly #stem: string;
  readonly #look: DirectoryLook;
  readonly #nowMs: number;
  readonly #subdirectories: string[] = [];
  readonly #lines: string[] = [];
  #unsettled: boolean;
  #young = 0;
  #canonical = 0;

  /** The look was taken before the directory is read, so that a change during the reading shows next time. */
  constructor(directory: string, look: DirectoryLook, nowMs: number) {
    this.#stem = stemOf(directory);
    this.#look = look;
    this.#nowMs = nowMs;
    this.#unsettled = isUnsettled(look, nowMs);
  }

  addDirectory(name: string): void {
    this.#subdirectories.push(name);
  }

  /** Answers with its fingerprint. */
  addFile(id: SegmentId, look: FileLook, isCanonical: boolean): string {
    const file = { fingerprint: fingerprint(look), isYoung: isYoung(look.modifiedMs, this.#nowMs) };
    this.keep(id, file, isCanonical);
    return file.fingerprint;
  }

  /** One that is not all there. As it was listed before, where it was: it neither came nor went. */
  addUnfinished(id: SegmentId, listedAs: Remembered | undefined, isCanonical: boolean): void {
    if (listedAs !== undefined) this.keep(id, listedAs, isCanonical);
    this.#unsettled = true;
  }

  /** A file as it was remembered. */
  keep(id: SegmentId, { fingerprint, isYoung }: Remembered, isCanonical: boolean): void {
    const name = id.startsWith(this.#stem) ? id.slice(this.#stem.length) : `${WHOLE}${id}`;
    this.#lines.push(`${isYoung ? YOUNG : ''}${fingerprint}${name}`);
    if (isYoung) this.#young += 1;
    if (isCanonical) this.#canonical += 1;
  }

  build(): DirectoryState {
    return {
      signature: this.#look.signature,
      unsettled: this.#unsettled,
      young: this.#young,
      subdirectories: this.#subdirectories.sort(),
      files: Buffer.from(this.#lines.join('\n'), 'utf8'),
      canonical: this.#canonical,
    };
  }
}

/** What the names in a directory are likely to begin with: its own name, since a segment lies below its id without the last three characters. */
function stemOf(directory: string): string {
  return directory.slice(directory.lastIndexOf('/') + 1);
}
