import { type SegmentId } from '../model/segment-id.ts';

/** A segment that is open for writing on this node, as its reader sees it. */
export interface HotFile {
  readonly file: string;
  readonly epoch: number;
  /** Resolves when an answer is safe now: the file has every write that was acknowledged before, and the lease is still ours. NODE_UNAVAILABLE: in a moment. */
  readonly assertCurrent: () => Promise<void>;
}

export interface HotFiles {
  hotFile(segment: SegmentId): HotFile | undefined;
  /** Resolves when a segment that is being opened here, or given to another node, is so no more; undefined: it is neither. */
  underWay(segment: SegmentId): Promise<void> | undefined;
}

export interface LocalCopy {
  readonly file: string;
  readonly version: number;
  readonly sizeBytes: number;
}

/** The verified copies that this node holds. */
export interface CopyFiles {
  copy(segment: SegmentId): LocalCopy | undefined;
}
