import { z } from 'zod';

/** Slower readings would look like one that stands still, and be broken off. */
export const LEAST_BYTES_PER_SECOND = 2 ** 20;

/** `trough.sync.coldcheck`: one stretch of looking through cold storage. Who asks keeps the place: `next` of an answer is `after` of the request that goes on. */
export const ColdCheckRequest = z.object({
  /** Absent: from the beginning. */
  after: z.string().optional(),
  /** Mend what can be mended without replacing or deleting anything that somebody may want. */
  repair: z.boolean().default(false),
  /** Read every file whole; else only how it begins, and how long it is. */
  read: z.boolean().default(true),
  /** Slower than the leader's own settings, never faster. */
  bytesPerSecond: z.number().min(LEAST_BYTES_PER_SECOND).optional(),
});
export type ColdCheckRequest = z.infer<typeof ColdCheckRequest>;

/**
 * `lost`: the catalogue names it, cold storage lacks it. `torn`: not a whole database, or not what was published. `foreign`: in cold storage and not known, or
 * not as it is known. `leftover`: a temporary file older than a day.
 */
export const COLD_FINDINGS = ['lost', 'torn', 'foreign', 'leftover'] as const;
export type ColdFindingKind = (typeof COLD_FINDINGS)[number];

export const ColdFinding = z.object({
  kind: z.enum(COLD_FINDINGS),
  segment: z.string().nullable(),
  /** Where the file lies, or lay. */
  path: z.string(),
  /** A sentence. */
  why: z.string(),
  /** Nodes with a verified copy, and of which version it is. */
  copies: z.array(z.object({ node: z.string(), version: z.number() })),
  repaired: z.boolean(),
  /** What was done, or why nothing was. */
  repair: z.string(),
});
export type ColdFinding = z.infer<typeof ColdFinding>;

export const ColdCheckAnswer = z.object({
  findings: z.array(ColdFinding),
  /** In this stretch: rows of the catalogue, files that were met in cold storage, bytes that were read. */
  checked: z.object({ segments: z.int(), files: z.int(), bytes: z.number() }),
  /** What the catalogue has, now. */
  total: z.object({ segments: z.int(), bytes: z.number() }),
  /** Absent: everything was looked at. */
  next: z.string().optional(),
});
export type ColdCheckAnswer = z.infer<typeof ColdCheckAnswer>;

/** `trough.node.<node>.restore`: the node publishes its verified copy of this version once more, where nothing lies. COLD_CHANGED: something does; NODE_LACKS_COPY. */
export const RestoreRequest = z.object({
  segment: z.string(),
  version: z.number(),
  /** That the file is to have again. */
  modifiedMs: z.number(),
});
export type RestoreRequest = z.infer<typeof RestoreRequest>;
export const RestoreAnswer = z.object({ path: z.string(), sizeBytes: z.number(), sha256: z.string() });
export type RestoreAnswer = z.infer<typeof RestoreAnswer>;
