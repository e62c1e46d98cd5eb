import { z } from 'zod';
import { type ColdCheckAnswer, type ColdCheckRequest } from './cold-check.ts';
import { CopyReport, LostAnswer } from './copy-report.ts';
import { type RebuildAnswer, type RebuildRequest } from './rebuild.ts';
import { type RuleAnswer, type RuleRequest, Tier } from './segment-rule.ts';

/** Requests to the leader (`trough.sync.<verb>`) and their answers, JSON. Ids are checked where they are used. */
export const ProvisionRequest = z.object({ segment: z.string(), schema: z.string().optional() });
export const ProvisionAnswer = z.object({
  segment: z.string(),
  node: z.string(),
  writeUrl: z.string(),
  sizeBytes: z.number(),
  /** The schema that was asked for, as the original echoes it. */
  schema: z.string(),
  /** True when this call made the segment. */
  created: z.boolean(),
});
export type ProvisionRequest = z.infer<typeof ProvisionRequest>;
export type ProvisionAnswer = z.infer<typeof ProvisionAnswer>;

export const PromoteRequest = z.object({ segment: z.string() });
export const PromoteAnswer = z.object({
  segment: z.string(),
  version: z.number(),
  sizeBytes: z.number(),
  sha256: z.string(),
  /** Where the file lies in cold storage. */
  path: z.string(),
});
export type PromoteRequest = z.infer<typeof PromoteRequest>;
export type PromoteAnswer = z.infer<typeof PromoteAnswer>;

export const ReleaseRequest = z.object({ segment: z.string() });
export const ReleaseAnswer = z.object({ segment: z.string(), version: z.number() });
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;
export type ReleaseAnswer = z.infer<typeof ReleaseAnswer>;

/** To another writer, which goes on from the segment's journal; nothing is published for it. */
export const MoveWriterRequest = z.object({ segment: z.string(), node: z.string() });
export const MoveWriterAnswer = z.object({ segment: z.string(), from: z.string(), node: z.string() });
export type MoveWriterRequest = z.infer<typeof MoveWriterRequest>;
export type MoveWriterAnswer = z.infer<typeof MoveWriterAnswer>;

/** `force`: also when a node holds the lease. */
export const ShredRequest = z.object({ segment: z.string(), force: z.boolean().default(false) });
export const ShredAnswer = z.object({ segment: z.string() });
export type ShredRequest = z.infer<typeof ShredRequest>;
export type ShredAnswer = z.infer<typeof ShredAnswer>;

export const SchemaRequest = z.discriminatedUnion('op', [
  z.object({ op: z.literal('list') }),
  z.object({ op: z.literal('get'), id: z.string() }),
  z.object({ op: z.literal('put'), id: z.string(), sql: z.string() }),
]);
export const SchemaAnswer = z.discriminatedUnion('op', [
  z.object({ op: z.literal('list'), ids: z.array(z.string()) }),
  z.object({ op: z.literal('get'), id: z.string(), sql: z.string() }),
  z.object({ op: z.literal('put'), id: z.string(), created: z.boolean() }),
]);
export type SchemaRequest = z.infer<typeof SchemaRequest>;
export type SchemaAnswer = z.infer<typeof SchemaAnswer>;

/** One row of the catalogue. `version` 0: never published. */
export const SegmentRow = z.object({
  id: z.string(),
  slot: z.int(),
  tier: Tier,
  version: z.number(),
  sizeBytes: z.number(),
  sha256: z.string().nullable(),
  schema: z.string().nullable(),
  state: z.enum(['writable', 'read-only']),
  /** The lease holder, when writable. */
  node: z.string().optional(),
});
export type SegmentRow = z.infer<typeof SegmentRow>;

export const SegmentsRequest = z.object({
  /** Regular expression on the id, in Python's syntax, as REGEXP in SQL. */
  matching: z.string().optional(),
  tier: Tier.optional(),
  /** Ids after this one, in byte order. */
  after: z.string().optional(),
  limit: z.int().positive().max(10_000).default(1_000),
});
export const SegmentsAnswer = z.object({ segments: z.array(SegmentRow), next: z.string().optional() });
export type SegmentsRequest = z.infer<typeof SegmentsRequest>;
export type SegmentsAnswer = z.infer<typeof SegmentsAnswer>;

export const SegmentRequest = z.object({ segment: z.string() });
/** One node that has, or is to have, a copy. */
export const SegmentNode = z.object({
  node: z.string(),
  zone: z.string().nullable(),
  /** Its place among the nodes of the slot, 0 the first. */
  rank: z.int(),
  /** The placement wants a copy here; false: it is moving away. */
  target: z.boolean(),
  /** Reads are sent here. */
  serving: z.boolean(),
  state: z.string(),
  /** What the node says itself; null: it did not answer. */
  report: CopyReport.nullable(),
  /** It answers a strong read now. */
  served: z.boolean(),
  /** Why it does or does not, in a sentence. */
  why: z.string(),
});
export type SegmentNode = z.infer<typeof SegmentNode>;
export const SegmentAnswer = SegmentRow.extend({
  /** The nodes of its slot, best first; then those that its copies are leaving. */
  nodes: z.array(SegmentNode),
  /** How many copies it is to have; 0 in tier cold. */
  copies: z.int(),
  /** Why it is not as the settings say; absent: it is. */
  rule: z
    .object({
      copies: z.int().nullable(),
      tier: Tier.nullable(),
      /** So many copies because it is read so much. */
      hotCopies: z.int().nullable(),
    })
    .optional(),
  lease: z
    .object({
      node: z.string(),
      epoch: z.int(),
      state: z.string(),
      version: z.number().nullable(),
      unpromoted: z.boolean(),
    })
    .optional(),
});
export type SegmentRequest = z.infer<typeof SegmentRequest>;
export type SegmentAnswer = z.infer<typeof SegmentAnswer>;

/** What one node must hold: rows of its slots and ranks, in pages. */
export const ManifestRequest = z.object({
  node: z.string(),
  after: z.string().optional(),
  limit: z.int().positive().max(10_000).default(5_000),
});
export const ManifestRow = z.object({
  id: z.string(),
  version: z.number(),
  sizeBytes: z.number(),
  sha256: z.string().nullable(),
});
export const ManifestAnswer = z.object({
  term: z.int(),
  epoch: z.int(),
  /** The number of the last `assign` message to this node that the answer includes. */
  sequence: z.int(),
  rows: z.array(ManifestRow),
  next: z.string().optional(),
});
export type ManifestRequest = z.infer<typeof ManifestRequest>;
export type ManifestRow = z.infer<typeof ManifestRow>;
export type ManifestAnswer = z.infer<typeof ManifestAnswer>;

/** `node`: also what is in that node's lost+found. */
export const StatusRequest = z.object({ node: z.string().optional() });
/** A node that is to be emptied. `waiting`: without it there would be fewer copies. `drained`: nothing is left on it. */
const DrainStatus = z.object({ sinceMs: z.number(), state: z.enum(['draining', 'waiting', 'drained']) });
export const NodeStatus = z.object({
  node: z.string(),
  zone: z.string(),
  roles: z.array(z.string()),
  state: z.enum(['alive', 'suspect', 'lost', 'stopped']),
  quotaBytes: z.number(),
  storedBytes: z.number(),
  copies: z.int(),
  /** Copies it still has to fetch. */
  pending: z.int(),
  pendingBytes: z.number(),
  /** Until it has them, at the rate of late; null: not known. */
  leftMs: z.number().nullable(),
  leases: z.int(),
  load: z.number(),
  beatAgeMs: z.number().nullable(),
  drain: DrainStatus.nullable(),
  /** Copies that were found missing or wrong and are not replaced yet. */
  damaged: z.int(),
  /** Copies that it is to have and cannot fetch, since their files in cold storage are bad or gone and no node has them; and one of them. */
  unfetchable: z.object({ copies: z.int(), segment: z.string(), code: z.string() }).nullable().default(null),
  /** Files that nobody asked for, in its lost+found. */
  lostFiles: z.int(),
});
export const StatusAnswer = z.object({
  leader: z.object({ node: z.string(), term: z.int() }).nullable(),
  /** Nodes have data that the metadata store knows nothing of: `trough rebuild` makes it again. */
  metadataLost: z.literal(true).optional(),
  nodes: z.array(NodeStatus),
  segments: z.object({
    hot: z.int(),
    cold: z.int(),
    writable: z.int(),
    /** What they weigh in cold storage. */
    hotBytes: z.number(),
    coldBytes: z.number(),
  }),
  placement: z.object({
    epoch: z.int(),
    /** Copies that are not there, over all nodes: still to be fetched, or not to be had. */
    underReplicated: z.int(),
    /** Slots that fewer living nodes serve than there should. */
    slotsUnderReplicated: z.int(),
    /** (slot, rank) places that have another node than the one that serves. */
    moves: z.int(),
    /** More such places, which wait for their turn: only so many move at a time. */
    waiting: z.int().default(0),
    /** Until the last copy is fetched, at the rate of late; null: not known, or nothing to fetch. */
    leftMs: z.number().nullable(),
    /** Nodes that are to hold more than their quota: nothing is deleted for it, but fetches may stop for lack of room. */
    overQuota: z.array(z.object({ node: z.string(), plannedBytes: z.number(), quotaBytes: z.number() })),
  }),
  /** Segments that are not as the settings say. */
  rules: z
    .object({
      /** Those that an operator gave copies or a tier of their own. */
      segments: z.int(),
      /** Those that have more copies because they are read very much. */
      hot: z.int(),
      /** Those for whose copies there are not enough nodes; the first ten. */
      short: z.array(z.object({ segment: z.string(), copies: z.int(), placed: z.int() })),
    })
    .default({ segments: 0, hot: 0, short: [] }),
  /** Of the node that was asked about; the oldest first. */
  lost: LostAnswer.optional(),
});
export type StatusRequest = z.infer<typeof StatusRequest>;
export type NodeStatus = z.infer<typeof NodeStatus>;
export type StatusAnswer = z.infer<typeof StatusAnswer>;

/** What would be if nodes went or came: nothing is changed by asking. */
export const PlanRequest = z.object({
  without: z.array(z.string()).default([]),
  with: z
    .array(z.object({ node: z.string(), quotaBytes: z.number().positive(), zone: z.string().default('default') }))
    .default([]),
});
export const PlanNode = z.object({
  node: z.string(),
  zone: z.string(),
  quotaBytes: z.number(),
  /** (slot, rank) places, and the bytes of the segments that are there by the placement; before and after. */
  places: z.object({ before: z.int(), after: z.int() }),
  bytes: z.object({ before: z.number(), after: z.number() }),
  /** What it would have to fetch. */
  gains: z.object({ places: z.int(), copies: z.int(), bytes: z.number() }),
  /** Until it has that; null: nothing to fetch. */
  ms: z.number().nullable(),
  overQuota: z.boolean(),
});
export const PlanAnswer = z.object({
  nodes: z.array(PlanNode),
  moves: z.object({ places: z.int(), slots: z.int(), copies: z.int(), bytes: z.number() }),
  /** Until the slowest node is done; `observed`: at the rate at which copies came in lately, `assumed`: at one that was never seen here. */
  ms: z.number(),
  rate: z.object({
    basis: z.enum(['observed', 'assumed']),
    copiesPerSecond: z.number(),
    bytesPerSecond: z.number(),
  }),
  /** What an operator should know before. */
  notes: z.array(z.string()),
});
export type PlanRequest = z.infer<typeof PlanRequest>;
export type PlanNode = z.infer<typeof PlanNode>;
export type PlanAnswer = z.infer<typeof PlanAnswer>;

/** `drain`: the node's copies are made elsewhere, then it serves no more and gives them up; `undrain` takes that back. */
export const DrainRequest = z.object({ op: z.enum(['drain', 'undrain']), node: z.string() });
export const DrainAnswer = z.object({
  node: z.string(),
  /** null: it is not being drained. */
  sinceMs: z.number().nullable(),
  /** False: it was so before. */
  changed: z.boolean(),
});
export type DrainRequest = z.infer<typeof DrainRequest>;
export type DrainAnswer = z.infer<typeof DrainAnswer>;

/** What the HTTP manager and the command line ask of the cluster; the role binds it to `trough.sync.<verb>`. Each throws TroughError. */
export interface Control {
  provision(request: ProvisionRequest): Promise<ProvisionAnswer>;
  promote(request: PromoteRequest): Promise<PromoteAnswer>;
  release(request: ReleaseRequest): Promise<ReleaseAnswer>;
  moveWriter(request: MoveWriterRequest): Promise<MoveWriterAnswer>;
  shred(request: ShredRequest): Promise<ShredAnswer>;
  schema(request: SchemaRequest): Promise<SchemaAnswer>;
  segments(request: SegmentsRequest): Promise<SegmentsAnswer>;
  segment(request: SegmentRequest): Promise<SegmentAnswer>;
  status(request: StatusRequest): Promise<StatusAnswer>;
  plan(request: PlanRequest): Promise<PlanAnswer>;
  drain(request: DrainRequest): Promise<DrainAnswer>;
  rule(request: RuleRequest): Promise<RuleAnswer>;
  /** One stretch: `next` of the answer says where to go on. */
  coldCheck(request: ColdCheckRequest): Promise<ColdCheckAnswer>;
  /** Begins one, or says how far one is. */
  rebuild(request: RebuildRequest): Promise<RebuildAnswer>;
}
