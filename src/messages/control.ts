import { z } from 'zod';

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

export const Tier = z.enum(['hot', 'cold']);
export type Tier = z.infer<typeof Tier>;

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
export const SegmentAnswer = SegmentRow.extend({
  /** The nodes of its slot, best first, and whether each one is expected to hold a copy, serves it, and is alive. */
  nodes: z.array(z.object({ node: z.string(), rank: z.int(), serving: z.boolean(), state: z.string() })),
  copies: z.int(),
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

export const StatusRequest = z.object({});
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
  leases: z.int(),
  load: z.number(),
  beatAgeMs: z.number().nullable(),
});
export const StatusAnswer = z.object({
  leader: z.object({ node: z.string(), term: z.int() }).nullable(),
  nodes: z.array(NodeStatus),
  segments: z.object({ hot: z.int(), cold: z.int(), writable: z.int() }),
  placement: z.object({ epoch: z.int(), underReplicated: z.int() }),
});
export type StatusRequest = z.infer<typeof StatusRequest>;
export type NodeStatus = z.infer<typeof NodeStatus>;
export type StatusAnswer = z.infer<typeof StatusAnswer>;

/** What the HTTP manager and the command line ask of the cluster; the role binds it to `trough.sync.<verb>`. Each throws TroughError. */
export interface Control {
  provision(request: ProvisionRequest): Promise<ProvisionAnswer>;
  promote(request: PromoteRequest): Promise<PromoteAnswer>;
  release(request: ReleaseRequest): Promise<ReleaseAnswer>;
  shred(request: ShredRequest): Promise<ShredAnswer>;
  schema(request: SchemaRequest): Promise<SchemaAnswer>;
  segments(request: SegmentsRequest): Promise<SegmentsAnswer>;
  segment(request: SegmentRequest): Promise<SegmentAnswer>;
  status(request: StatusRequest): Promise<StatusAnswer>;
}
