import { z } from 'zod';
import { type SegmentId } from '../model/segment-id.ts';
import { Params } from './http-api.ts';

/** The longest that one request waits for something to happen. */
const LONGEST_WAIT_MS = 60_000;

const Since = z
  .string()
  .max(4_096)
  .describe('`next` of an answer, the `sequence` of a write, or 0 for all that the journal has. Absent: from now on.');
const WaitMs = z
  .int()
  .nonnegative()
  .max(LONGEST_WAIT_MS)
  .describe('So many milliseconds it may wait while there is nothing; 0: none.');

/** What is asked in the body of a NATS request. */
export const ChangesBody = z.strictObject({
  since: z.union([z.int().nonnegative().transform(String), Since]).optional(),
  waitMs: WaitMs.default(0),
});
/** The same of all segments whose ids match. */
export const MatchingChangesBody = ChangesBody.extend({ matching: z.string() });

const Waited = z.coerce.number().pipe(WaitMs).default(0);
/** URL parameters. */
export const ChangesParameters = z.strictObject({ since: Since.optional(), waitMs: Waited });
export const MatchingChangesParameters = ChangesParameters.extend({
  matching: z.string().describe("Regular expression on the ids, in Python's syntax, as REGEXP in SQL."),
});

const where = {
  segment: z.string(),
  sequence: z.int().describe('Of its commit in the journal; grows within a segment.'),
};

/** One request that was committed: all of it in one transaction. */
const Written = z.strictObject({
  kind: z.literal('write'),
  ...where,
  index: z.int().describe('Requests that were committed together share a sequence; 0 is the first of them.'),
  at: z.iso.datetime().describe("What 'now' was to its SQL."),
  requestId: z.string().optional(),
  statements: z.array(
    z.strictObject({ sql: z.string(), params: Params.optional(), changes: z.int(), lastInsertRowid: z.int() }),
  ),
});
const Created = z
  .strictObject({ kind: z.literal('created'), ...where, at: z.iso.datetime(), schema: z.string(), sql: z.string() })
  .describe('The segment begins here, empty but for what `sql` makes.');
const Based = z
  .strictObject({ kind: z.literal('based'), ...where, version: z.number(), sha256: z.string() })
  .describe('From here on the segment is that file of cold storage and what follows.');
const Shredded = z
  .strictObject({ kind: z.literal('shredded'), ...where })
  .describe('The segment was deleted, with all that came before.');
/** What can be had in the place of what is gone. */
const GapStart = z
  .strictObject({ version: z.number(), sha256: z.string(), since: z.string() })
  .describe('That version of cold storage has all that is gone; the changes since `since` follow it.');
const Gap = z
  .strictObject({
    kind: z.literal('gap'),
    segment: z.string().nullable().describe('null: all of the stream.'),
    stream: z.string(),
    after: z.int(),
    through: z.int().nullable().describe('The sequences above `after` up to this one are gone; null: all of them.'),
    reason: z.enum(['purged', 'journal-lost']),
    start: GapStart.nullable(),
    message: z.string(),
  })
  .describe('Something is missing here that was committed.');

const Change = z.discriminatedUnion('kind', [Written, Created, Based, Shredded, Gap]);
export const ChangesAnswer = z.strictObject({
  changes: z.array(Change),
  next: z.string().describe('`since` of the request that goes on.'),
  more: z.boolean().describe('There is more now.'),
});

export type GapStart = z.infer<typeof GapStart>;
export type Gap = z.infer<typeof Gap>;
/** As they are made: parameters and rowids as `formatExactJson` writes them. */
export type MadeChange =
  | z.infer<typeof Created>
  | z.infer<typeof Based>
  | z.infer<typeof Shredded>
  | Gap
  | (Omit<z.infer<typeof Written>, 'statements'> & {
      readonly statements: readonly {
        readonly sql: string;
        readonly params?: unknown;
        readonly changes: number;
        readonly lastInsertRowid: bigint;
      }[];
    });

export interface ChangesPage {
  readonly changes: readonly MadeChange[];
  readonly next: string;
  readonly more: boolean;
}

export interface ChangesRequest {
  readonly of: { readonly segment: SegmentId } | { readonly matching: string };
  readonly since?: string | undefined;
  readonly waitMs: number;
}

/**
 * The committed changes behind `since`, or what comes while it waits. `deliver` gets them to who asked, whose place is free again when it has. Errors:
 * SEGMENT_UNKNOWN, FEED_NO_JOURNAL, FEED_AHEAD, FEED_FULL, REQUEST_INVALID, STOPPING, those of the journal and of the metadata store.
 */
export type ReadChanges = (
  request: ChangesRequest,
  deliver: (page: ChangesPage) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;
