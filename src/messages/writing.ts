import { type SegmentId } from '../model/segment-id.ts';
import { type StatementResult, type WriteRequest } from '../model/sql-types.ts';

export interface WriteCall {
  readonly segment: SegmentId;
  readonly request: WriteRequest;
  readonly deadlineMs?: number | undefined;
  /** The client's, or made for it by the first node that handed it on: sent twice, applied once. */
  readonly requestId?: string | undefined;
  /** Only when this node holds the lease (the original's write port), else it is handed to the holder once. */
  readonly onlyHere: boolean;
}

export interface WriteAnswer {
  readonly node: string;
  readonly results: readonly StatementResult[];
  /** Position of the commit in the segment's journal, or without one among all of this lease; grows. */
  readonly sequence: number;
}

/** Applies one request, all of it or nothing; resolves when it is durable. Throws TroughError. */
export type Write = (call: WriteCall) => Promise<WriteAnswer>;
