import { type QueryRecord } from '../../engine/engine.ts';
import { type ErrorCode, ERRORS, type ErrorKind } from '../../errors.ts';
import { type SegmentStatsAnswer, type SlowQuery } from '../../messages/query-reports.ts';
import { percentile } from '../../model/percentile.ts';

/** The times that percentiles are made from. */
const WINDOW = 256;
const MOST_SLOW = 5;
/** Turned away at once: what that took says nothing of the segment. */
const REFUSED: ReadonlySet<ErrorKind> = new Set(['busy', 'crowded']);

type Report = Pick<
  SegmentStatsAnswer,
  'sinceMs' | 'lastMs' | 'queries' | 'errors' | 'rows' | 'bytes' | 'latency' | 'slow'
>;

/** What the queries of one segment took and gave on this node: some 100 bytes, at most 2 KiB of times, and the last few slow ones. */
export class SegmentFigures {
  readonly #sinceMs: number | null;
  #lastMs: number | null = null;
  #queries = 0;
  #rows = 0;
  #bytes = 0;
  #errors: Map<ErrorCode, number> | undefined;
  /** Full, the oldest one is at `#next`. */
  readonly #totals: number[] = [];
  #next = 0;
  #slow: readonly SlowQuery[] = [];

  /** null: nothing is counted. */
  constructor(sinceMs: number | null) {
    this.#sinceMs = sinceMs;
  }

  add({ totalMs, rows, bytes, error }: QueryRecord, nowMs: number): void {
    this.#lastMs = nowMs;
    this.#queries += 1;
    this.#rows += rows;
    this.#bytes += bytes;
    if (error !== undefined) {
      this.#errors ??= new Map();
      this.#errors.set(error, (this.#errors.get(error) ?? 0) + 1);
      if (REFUSED.has(ERRORS[error])) return;
    }
    this.#totals[this.#next] = totalMs;
    this.#next = (this.#next + 1) % WINDOW;
  }

  addSlow(query: SlowQuery): void {
    this.#slow = [query, ...this.#slow.slice(0, MOST_SLOW - 1)];
  }

  report(): Report {
    const sorted = Float64Array.from(this.#totals).sort();
    const at = (share: number): number | null => percentile(sorted, share) ?? null;
    return {
      sinceMs: this.#sinceMs,
      lastMs: this.#lastMs,
      queries: this.#queries,
      errors: Object.fromEntries(this.#errors ?? []),
      rows: this.#rows,
      bytes: this.#bytes,
      latency: { queries: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) },
      slow: [...this.#slow],
    };
  }
}
