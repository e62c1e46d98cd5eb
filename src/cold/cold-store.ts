import { type SegmentId } from '../model/segment-id.ts';

/** One published state of a segment as cold storage shows it. */
export interface ColdFile {
  readonly id: SegmentId;
  /** Where it lies, as the original's clients are told: an absolute path. */
  readonly path: string;
  readonly sizeBytes: number;
  /** When this content was put there, ms since 1970. */
  readonly modifiedMs: number;
}

export interface Fetched {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
}

/** Of content that the caller knew: when it was put there is not asked for. */
export type FetchedKnown = Pick<Fetched, 'sizeBytes' | 'sha256'>;

export type ListEvent =
  | { readonly kind: 'file'; readonly file: ColdFile }
  /** Was listed before and is gone now. */
  | { readonly kind: 'gone'; readonly id: SegmentId; readonly path: string }
  /** All that is new was named; what comes now, of files that were known, takes longer: take in what you have. */
  | { readonly kind: 'named' }
  /** A `*.sqlite` that cannot be served under its name; why is a sentence. */
  | { readonly kind: 'ignored'; readonly path: string; readonly why: string }
  /**
   * The last event: hand `cursor` to the next `list` of the same object. `files` counts all that are served now.
   * `complete`: this listing named every file, so whatever the caller knows and it did not name is gone.
   */
  | { readonly kind: 'done'; readonly cursor: string; readonly files: number; readonly complete?: true };

/**
 * The permanent copy of every segment. A reader of it sees the old file or the new one, whole, never neither.
 * Files lie at ROOT/<prefix>/<id>.sqlite, prefix = the id without its last three characters (`_` when nothing is left);
 * any other `*.sqlite` under ROOT is a segment too, whoever wrote it.
 *
 * Errors: COLD_MISSING, COLD_COPY_TORN (length or checksum differ), COLD_CHANGED (replaced meanwhile: try again), COLD_FAILED
 * (context `cancelled: true` when the caller's signal fired).
 */
export interface ColdStore {
  /** Where it is, for people and for /readyz. */
  readonly description: string;
  /** COLD_FAILED when it cannot be read and written now. */
  probe(signal?: AbortSignal): Promise<void>;
  /**
   * Without a cursor: every file. With the cursor of the last `done`: files that are new or changed since (others may be among them),
   * and those that vanished. Streams; one directory in memory at a time.
   *
   * What a cursor stands for is in this object's memory: with an unknown one (another process, a listing that was not read to its end)
   * everything is listed, `done` is `complete`, and `gone` is left to the caller's own comparison. A cursor is good for one listing.
   * Writers that change files in place without changing their directory are found by a complete listing only, so ask for one now and then.
   */
  list(cursor: string | undefined, signal?: AbortSignal): AsyncIterable<ListEvent>;
  stat(id: SegmentId, signal?: AbortSignal): Promise<ColdFile | undefined>;
  /**
   * Writes the content to the new local file `to`, synced to disk, compared in length (and in SHA-256 when `expected` names it).
   * A file that was replaced while it was read is COLD_CHANGED, unless the old one came whole. On any error `to` does not exist; it must not exist before.
   * DISK_FULL when it is the local disk that has no room.
   */
  fetch(id: SegmentId, to: string, expected: { readonly sha256?: undefined }, signal?: AbortSignal): Promise<Fetched>;
  fetch(
    id: SegmentId,
    to: string,
    expected: { readonly sha256?: string | undefined },
    signal?: AbortSignal,
  ): Promise<FetchedKnown>;
  /**
   * Makes the local file `from` the segment's content: temporary name outside the listed tree, verified, renamed over.
   * `sha256` is what the caller computed of `from`; COLD_COPY_TORN when what arrived differs.
   *
   * `beforeReplacing` runs when the temporary file is whole, before it is renamed; when it fails nothing is renamed. There is no other upload after it:
   * whoever takes the temporary file away then (`discardUploads`) has ended the publish.
   */
  publish(
    id: SegmentId,
    from: string,
    sha256: string,
    signal?: AbortSignal,
    beforeReplacing?: () => Promise<void>,
  ): Promise<ColdFile>;
  /** Takes away what anybody's publish of the segment has uploaded and not yet put in place. */
  discardUploads(id: SegmentId, signal?: AbortSignal): Promise<void>;
  /** False when it was not there. */
  remove(id: SegmentId, signal?: AbortSignal): Promise<boolean>;
  /** SHA-256 of the stored content, in hex. */
  checksum(id: SegmentId, signal?: AbortSignal): Promise<string>;
}
