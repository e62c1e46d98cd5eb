import { type SegmentId } from '../model/segment-id.ts';
import { type ColdFile } from './cold-store.ts';

export type WalkEvent =
  /** `stray`: not where trough puts it. */
  | { readonly kind: 'file'; readonly file: ColdFile; readonly stray: boolean }
  /** A `*.sqlite` that is not served; why is a sentence. */
  | { readonly kind: 'odd'; readonly id: SegmentId | undefined; readonly path: string; readonly why: string }
  /** Everything in this directory was named: a walk `after` it goes on behind it. */
  | { readonly kind: 'place'; readonly after: string };

/** What a broken publish left behind. */
export interface Leftover {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** What was read of a file. */
export interface ReadBack {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Its first 100 bytes, or all. */
  readonly head: Uint8Array;
}

/** What looking after a cold storage takes, beside its daily use (ColdStore): for `trough cold check`. Errors as in ColdStore. */
export interface ColdCare {
  /** COLD_FAILED when this is not the storage that it was: one that is not mounted must not look like one that lost everything. */
  demand(signal?: AbortSignal): Promise<void>;
  /** Everything that is there, in an order that is the same each time; one directory in memory. Keeps nothing and disturbs no listing. */
  walk(after: string | undefined, signal?: AbortSignal): AsyncIterable<WalkEvent>;
  /** From now on this object knows that a file of the segment lies there, as if a listing had named it. */
  learn(file: ColdFile): Promise<void>;
  /** The first 100 bytes of the file at this path, or all. */
  head(file: ColdFile, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * Reads all of a segment's file, as `fetch` does, and keeps nothing of it. COLD_COPY_TORN when it is not what `sha256` says, or not what the
   * storage says that it holds. `passed` is told of each piece and is waited for: so the reading can be slowed down.
   */
  readBack(
    id: SegmentId,
    sha256: string | undefined,
    passed: (bytes: number) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReadBack>;
  /**
   * Publishes a file that was lost once more, with the modification time that it had, so that everybody knows it for the same. COLD_CHANGED when
   * something lies at its place by then: nothing is replaced.
   */
  restore(
    id: SegmentId,
    from: string,
    was: { readonly sha256: string; readonly modifiedMs: number },
    signal?: AbortSignal,
  ): Promise<ColdFile>;
  /** Temporary files older than a day. */
  leftovers(signal?: AbortSignal): Promise<readonly Leftover[]>;
  removeLeftover(leftover: Leftover, signal?: AbortSignal): Promise<void>;
}
