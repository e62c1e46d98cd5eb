import { type SegmentId } from '../model/segment-id.ts';

/** How a directory looked: it changes whenever a name in it does. */
export interface DirectoryLook {
  readonly signature: string;
  /** When a name in it changed last, ms since 1970 by the storage's clock. */
  readonly changedMs: number;
}

export interface FileLook {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Changes with the content. */
  readonly signature: string;
}

/** One thing in a directory of cold storage. */
export type Found =
  /** `look` where the reading tells it: else it is asked for. */
  | { readonly kind: 'directory'; readonly name: string; readonly look?: DirectoryLook }
  | { readonly kind: 'file'; readonly id: SegmentId; readonly look: FileLook }
  | { readonly kind: 'misnamed'; readonly name: string }
  /** A segment that is not all there yet: to be looked at again. */
  | { readonly kind: 'unfinished'; readonly id: SegmentId; readonly why: string };

/** A name in a directory. */
export interface FoundName {
  readonly name: string;
  /** Undefined: a file. */
  readonly directory: { readonly look?: DirectoryLook } | undefined;
}

/** What a listing needs of a storage. All paths are relative to its root, without a slash at either end; the root is ''. */
export interface ColdTree {
  /** True: a directory's times are told when its parent is read and nowhere cheaper, so one that has directories in it is read each time. */
  readonly looksComeFromParents: boolean;
  /** True: the reading of a directory tells how the files in it look. False: each look is a call. */
  readonly looksComeWithNames: boolean;
  /** Now, ms since 1970, by the clock that stamps the files. */
  nowMs(): number;
  /** The whole path, for people. */
  absolute(path: string): string;
  /** Undefined when it is not there. */
  lookAt(directory: string, signal?: AbortSignal): Promise<DirectoryLook | undefined>;
  /**
   * Everything that counts in one directory, streamed, in no order; hidden names and other endings are left out, and what vanishes meanwhile. Nothing when the
   * directory is gone, unless it is the root: that is an error.
   * `isKnown`: a file that looks like this was listed before; undefined where nothing was listed yet.
   */
  read(
    directory: string,
    isKnown: ((id: SegmentId, look: FileLook) => boolean) | undefined,
    signal?: AbortSignal,
  ): AsyncIterable<Found>;
  /** The names alone, of directories and files that do not start with a dot. */
  names(directory: string, signal?: AbortSignal): AsyncIterable<FoundName>;
  /** Undefined when there is no file. */
  stat(path: string, signal?: AbortSignal): Promise<FileLook | undefined>;
}
