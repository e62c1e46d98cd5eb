import { type SegmentId } from '../model/segment-id.ts';
import { type RowFormat, type SqlParams } from '../model/sql-types.ts';

/** `strong`: sees every write acknowledged before. `any`: the nearest copy, maybe an older version. */
export type Consistency = 'strong' | 'any';

export interface ReadRequest {
  readonly segment: SegmentId;
  readonly sql: string;
  readonly params?: SqlParams | undefined;
  readonly format: RowFormat;
  readonly bigints: 'digits' | 'string';
  /** Absent: the node's default. Longer than the node's ceiling: the ceiling. */
  readonly deadlineMs?: number | undefined;
  readonly consistency: Consistency;
  readonly maxRows?: number | undefined;
  /** How many nodes have handed it on already. From 1 on it goes to a lease holder at most; from 2 on to nobody. */
  readonly hops: number;
}

export interface ReadSummary {
  readonly rows: number;
  readonly truncated: boolean;
}

export interface ReadAnswer {
  /** Who answered, and which version of the segment; `live` for the hot file of a lease holder. */
  readonly node: string;
  readonly version: string;
  readonly columns: readonly string[];
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /** Of a stream: aborts when it has failed, with the error as its reason, also while its reader takes nothing and would not come to the error. */
  readonly failure?: AbortSignal | undefined;
  /**
   * Of a whole body: nobody looks at it any more, so its memory may be the next answer's. To be called at most once, and not before the body has left;
   * never to call it is safe, and costs a collection.
   */
  readonly release?: (() => void) | undefined;
  /** Valid once the body has ended well. */
  readonly summary: () => ReadSummary;
}

/** Answers one SELECT on one segment, wherever it is. Throws TroughError. The signal ends the query. */
export type Read = (request: ReadRequest, signal: AbortSignal) => Promise<ReadAnswer>;
