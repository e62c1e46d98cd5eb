import { z } from 'zod';
import { ColdCheckRequest } from './cold-check.ts';
import { RebuildRequest } from './rebuild.ts';
import { SegmentsRequest } from './control.ts';
import { RuledCopies, Tier } from './segment-rule.ts';

/** The bodies of the `/v1` routes. The OpenAPI document is made from these very schemas. */

const LARGEST = 2n ** 63n - 1n;
const SMALLEST = -(2n ** 63n);

/** A bound value: a boolean becomes 0 or 1, `{"base64"}` a BLOB; integers keep all their 64 bits. */
export const ParamValue = z.union(
  [
    z.null(),
    z.number(),
    z.bigint().min(SMALLEST).max(LARGEST),
    z.string(),
    z.boolean(),
    z.strictObject({ base64: z.base64() }),
  ],
  { error: 'must be null, a number, a string, a boolean or {"base64": …}' },
);
export type ParamValue = z.infer<typeof ParamValue>;

/** In order for `?`, or by name (without the prefix) for `:name`, `@name`, `$name`. */
export const Params = z.union([z.array(ParamValue), z.record(z.string(), ParamValue)], {
  error: 'must be a list of values, or an object of values by name',
});
export type Params = z.infer<typeof Params>;

export const AnswerFormat = z.enum(['json', 'ndjson', 'csv']);
export type AnswerFormat = z.infer<typeof AnswerFormat>;

const DeadlineMs = z.int().positive().describe('After so many milliseconds the statement is ended.');

export const QueryBody = z.strictObject({
  sql: z.string().describe('Exactly one SELECT.'),
  params: Params.optional(),
  deadlineMs: DeadlineMs.optional(),
  consistency: z
    .enum(['strong', 'any'])
    .default('strong')
    .describe('strong: sees every write acknowledged before. any: the nearest copy.'),
  maxRows: z.int().positive().optional().describe('The answer ends after so many rows and says that it is truncated.'),
  format: AnswerFormat.optional().describe('Wins over the Accept header; json when there is neither.'),
});
export type QueryBody = z.infer<typeof QueryBody>;

/** In URL parameters, so that a program that cannot read 64-bit integers need not change its bodies. */
export const QueryParameters = z.strictObject({
  bigints: z
    .enum(['digits', 'string'])
    .default('digits')
    .describe('How integers beyond 2^53 are written: as bare digits, or as strings.'),
});

const Json = z.union([z.null(), z.number(), z.string(), z.strictObject({ base64: z.base64() })]);

export const QueryAnswer = z.strictObject({
  columns: z.array(z.string()),
  rows: z
    .array(z.array(Json))
    .describe(
      'A REAL always has a point or an exponent, an INTEGER never; the digits are the shortest that read back as the same number. ' +
        'An infinite REAL is null (SQLite itself has NULL for NaN). A BLOB is an object with its bytes in base64. ' +
        'In a TEXT, what is no UTF-8 (lone surrogates too) is U+FFFD; cast(x as blob) has its bytes.',
    ),
  segment: z.string(),
  version: z.string().describe("The version of the segment that answered; 'live' for one that is being written."),
  node: z.string(),
  truncated: z.boolean(),
});

export const WriteBody = z.union([
  z.strictObject({
    statements: z.array(z.strictObject({ sql: z.string(), params: Params.optional() })).min(1),
    requestId: z
      .string()
      .max(200)
      .optional()
      .describe(
        'A name for this request, given back in the answer; the header Trough-Request-Id does the same. Sent again under the same name within two minutes it is answered as before and not made again.',
      ),
    deadlineMs: DeadlineMs.optional(),
  }),
  z.strictObject({
    script: z.string().describe('Statements in one text, without parameters.'),
    requestId: z.string().max(200).optional(),
    deadlineMs: DeadlineMs.optional(),
  }),
]);
export type WriteBody = z.infer<typeof WriteBody>;

export const WriteReply = z.strictObject({
  results: z.array(
    z.strictObject({ changes: z.int(), lastInsertRowid: z.int().describe('All 64 bits, as bare digits.') }),
  ),
  sequence: z.int().describe('Position of the commit; grows.'),
  node: z.string(),
  requestId: z.string().optional(),
});

export const ProvisionBody = z.strictObject({ schema: z.string().optional() });
export const EmptyBody = z.strictObject({});

export const ShredParameters = z.strictObject({
  force: z.enum(['true', 'false']).default('false').describe('Also when a node holds the lease.'),
});

/** The URL parameters of the list of segments. */
export const SegmentsParameters = z.strictObject({
  matching: z.string().optional().describe("Regular expression on the id, in Python's syntax, as REGEXP in SQL."),
  tier: Tier.optional(),
  after: z.string().optional().describe('Ids after this one, in byte order: `next` of the page before.'),
  limit: z.coerce.number().pipe(SegmentsRequest.shape.limit.unwrap()).optional(),
});

export const ColdCheckBody = z.strictObject(ColdCheckRequest.shape);

export const RebuildBody = z.strictObject(RebuildRequest.shape);

export const StatusParameters = z.strictObject({
  node: z.string().optional().describe("A node whose lost+found is listed: the answer has 'lost'."),
});

export const RuleBody = z.strictObject({
  copies: RuledCopies.optional().describe('As the settings say when it is left out.'),
  tier: Tier.optional(),
});

export const DrainBody = z.strictObject({ node: z.string() });

export const MoveWriterBody = z.strictObject({ node: z.string().describe('The writer that it goes to.') });

export const PlanParameters = z.strictObject({
  without: z.string().optional().describe('Names of nodes that would be gone, with commas between them.'),
  with: z
    .string()
    .optional()
    .describe('Nodes that would be new, NAME:QUOTA or NAME:QUOTA:ZONE (n9:500GB:rack2), with commas between them.'),
});

export const ErrorReply = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
});
