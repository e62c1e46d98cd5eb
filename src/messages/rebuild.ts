import { z } from 'zod';

/**
 * `trough.sync.rebuild`: makes the documents of a lost metadata store again from cold storage, the journal and what the nodes have. The work goes on by itself;
 * whoever asks comes again with the job's name for what is new.
 */
export const RebuildRequest = z.object({
  /** Finds out what would be done, and does nothing. */
  dryRun: z.boolean().default(false),
  /** Also when the store was not lost: what it has stays as it is, what is missing is added. */
  force: z.boolean().default(false),
  /** Segment → the node whose file counts, or `journal`, or `cold`, where several have a state of it. */
  take: z.record(z.string(), z.string()).default({}),
  /** Asks how far that one is. Absent: begins one. */
  job: z.string().optional(),
  /** So many findings are known to the asker. */
  from: z.int().nonnegative().default(0),
});
export type RebuildRequest = z.infer<typeof RebuildRequest>;

/**
 * What could not be settled. `two-states`: several places have a state of the segment, and nothing tells which is the newest: nobody may write it until
 * the operator says. `journal-gone`: taken from a node's file, since the journal
 * that it follows is gone; writes of the last moment before a loss of power may be missing. `journal-unreadable`. `only-copies`: cold storage
 * has no file of it. `schema`: no record has its SQL. `not-opened`: it is granted, and the node could not open it yet. `node`: it could not be asked.
 * `forgotten`: what is kept nowhere else.
 */
export const REBUILD_FINDINGS = [
  'two-states',
  'journal-gone',
  'journal-unreadable',
  'only-copies',
  'schema',
  'not-opened',
  'node',
  'forgotten',
] as const;
export type RebuildFindingKind = (typeof REBUILD_FINDINGS)[number];

export const RebuildFinding = z.object({
  kind: z.enum(REBUILD_FINDINGS),
  segment: z.string().nullable(),
  node: z.string().nullable(),
  /** A sentence, with what to do. */
  why: z.string(),
});
export type RebuildFinding = z.infer<typeof RebuildFinding>;

export const REBUILD_PHASES = ['listing', 'journal', 'hot', 'copies', 'documents', 'opening', 'done'] as const;
export type RebuildPhase = (typeof REBUILD_PHASES)[number];

export const RebuildAnswer = z.object({
  job: z.string(),
  phase: z.enum(REBUILD_PHASES),
  dryRun: z.boolean(),
  /** So far. `held`, `released`, `shredded`: leases; `kept`: those that were there before. */
  counts: z.object({
    ...{ nodes: z.int(), journalKeys: z.int(), hotFiles: z.int(), copies: z.int(), segments: z.int() },
    ...{
      held: z.int(),
      released: z.int(),
      shredded: z.int(),
      kept: z.int(),
      schemas: z.int(),
      rules: z.int().default(0),
    },
    ...{ opened: z.int() },
  }),
  /** From `from` on. */
  findings: z.array(RebuildFinding),
  /** How it ended, when it could not go on. */
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
});
export type RebuildAnswer = z.infer<typeof RebuildAnswer>;

/** `trough.node.<node>.survey`: what the node has, for a rebuild. */
export const SurveyRequest = z.discriminatedUnion('what', [
  /** Files of segments that were open for writing, in pages. */
  z.object({ what: z.literal('hot'), after: z.string() }),
  /** How far the file of one is, and what would be published of it. */
  z.object({ what: z.literal('state'), segment: z.string() }),
  /** The inventory, in pages. */
  z.object({ what: z.literal('copies'), after: z.string() }),
]);
export type SurveyRequest = z.infer<typeof SurveyRequest>;

export const SurveyedHot = z.object({
  segment: z.string(),
  sizeBytes: z.number(),
  /** When it was last written to, by the node's clock; null: not known. */
  modifiedMs: z.number().nullable(),
  /** The journal that it follows; null: none. */
  note: z.object({ stream: z.string(), incarnation: z.string() }).nullable(),
});
export type SurveyedHot = z.infer<typeof SurveyedHot>;

export const SurveyedCopy = z.object({
  id: z.string(),
  version: z.number(),
  sizeBytes: z.number(),
  sha256: z.string(),
});
export type SurveyedCopy = z.infer<typeof SurveyedCopy>;

export const SurveyAnswer = z.object({
  /** The cluster that the node's data is of. */
  remembers: z.string().nullable(),
  hot: z.array(SurveyedHot).default([]),
  copies: z.array(SurveyedCopy).default([]),
  /** `mark`: how much of its journal the file has, as its header says; `sha256`: of what would be published. */
  state: z.object({ mark: z.number(), sha256: z.string() }).nullable().default(null),
  /** `after` of the next page; absent: there is none. */
  next: z.string().optional(),
});
export type SurveyAnswer = z.infer<typeof SurveyAnswer>;
