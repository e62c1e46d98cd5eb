import { type SegmentId } from '../model/segment-id.ts';

/** The segments that are open for writing on this node, as its reader sees them. */
export interface HotFiles {
  hotFile(
    segment: SegmentId,
  ): { readonly file: string; readonly epoch: number; readonly assertHeld: () => Promise<void> } | undefined;
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
