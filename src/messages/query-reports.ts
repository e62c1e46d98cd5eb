import { z } from 'zod';
import { type SegmentId } from '../model/segment-id.ts';

/** What a node tells of the queries that ran on it. Times of day in milliseconds since 1970, everything else as the names say. */

const PhaseMs = z.number().nullable();

export const SlowQuery = z.strictObject({
  segment: z.string(),
  endedMs: z.number().describe('When it ended, milliseconds since 1970.'),
  sql: z.string(),
  cut: z.boolean().describe('The SQL was longer than what is kept of it.'),
  queueMs: PhaseMs.describe('Until it was given to a process; null: it never was.'),
  openMs: PhaseMs.describe('What that process took to open the file and to prepare the statement; null: not known.'),
  firstMs: PhaseMs.describe('From the request to the first rows; null: there were none.'),
  totalMs: z.number().describe('From the request to the end, the time in which a slow client read included.'),
  rows: z.int(),
  bytes: z.int(),
  outcome: z.string().describe("'ok', or the code of the error."),
  plan: z
    .array(z.string())
    .optional()
    .describe('EXPLAIN QUERY PLAN as SQLite answers it now, indented; when it was asked for.'),
  planError: z.string().optional().describe('Why there is no plan.'),
});
export type SlowQuery = z.infer<typeof SlowQuery>;

const Threshold = z.number().describe('What counts as slow; 0: only queries that were killed.');

export const SegmentStatsAnswer = z.strictObject({
  segment: z.string(),
  node: z.string().describe('The node that answers. All figures are of the queries that ran on it.'),
  sinceMs: z
    .number()
    .nullable()
    .describe('Since when they are counted; null: no query has run here, or it is forgotten.'),
  lastMs: z.number().nullable().describe('When the last one ended.'),
  queries: z.int().describe('All that ended or were refused.'),
  errors: z.record(z.string(), z.int()).describe('How many of them failed, by the code of the error.'),
  rows: z.int(),
  bytes: z.int(),
  latency: z
    .strictObject({ queries: z.int(), p50Ms: PhaseMs, p95Ms: PhaseMs, p99Ms: PhaseMs })
    .describe('Of the whole time of the last so many queries, refused ones left out.'),
  running: z.int().describe('Now, given to a process.'),
  waiting: z.int().describe('Now, not yet given to a process.'),
  served: z
    .strictObject({ version: z.string(), sizeBytes: z.number().nullable() })
    .nullable()
    .describe(
      "The file that this node serves it from: its version, 'live-' and the epoch for one that is being written.",
    ),
  slowMs: Threshold,
  slow: z.array(SlowQuery).describe('The last few slow ones, newest first.'),
});
export type SegmentStatsAnswer = z.infer<typeof SegmentStatsAnswer>;

export const SlowQueriesAnswer = z.strictObject({
  node: z.string(),
  slowMs: Threshold,
  recent: z.array(SlowQuery).describe('The last ones, newest first.'),
  slowest: z.array(SlowQuery).describe('Those of the last hour that took longest, the slowest first.'),
});
export type SlowQueriesAnswer = z.infer<typeof SlowQueriesAnswer>;

export const StatsParameters = z.strictObject({
  plan: z
    .enum(['0', '1', 'false', 'true'])
    .default('0')
    .describe('1: with the plan of each slow query, asked of SQLite now; parameters count as NULL.'),
});

/** What the read port tells of queries. */
export interface QueryReports {
  /** SEGMENT_UNKNOWN; zeros for one that was never queried here. With `plan` each slow query has its plan, or why it has none. */
  segment(segment: SegmentId, options: { readonly plan: boolean }, signal: AbortSignal): Promise<SegmentStatsAnswer>;
  slow(): SlowQueriesAnswer;
}
