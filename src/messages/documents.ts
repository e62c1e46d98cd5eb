import { z } from 'zod';
import { TroughError } from '../errors.ts';

/**
 * The documents that the cluster agrees on (metadata store). Times are ms since 1970. Unknown keys are kept out, missing ones
 * have defaults: a newer or older trough may have written the document.
 */
export const RoleName = z.enum(['reader', 'writer', 'sync-master', 'sync-local']);
export type RoleName = z.infer<typeof RoleName>;

const Urls = z.object({
  read: z.string().optional(),
  write: z.string().optional(),
  syncMaster: z.string().optional(),
  syncLocal: z.string().optional(),
});
export type Urls = z.infer<typeof Urls>;

/** Key `leader`. `beat` changes at each renewal, so that a watcher sees that the leader lives. `held` is false after a clean stop. */
export const LeaderDocument = z.object({
  node: z.string(),
  session: z.string(),
  term: z.int().nonnegative(),
  url: z.string(),
  held: z.boolean(),
  beat: z.int().nonnegative(),
});
export type LeaderDocument = z.infer<typeof LeaderDocument>;

/** Key `node.<token>`. */
export const NodeDocument = z.object({
  node: z.string(),
  session: z.string(),
  zone: z.string(),
  roles: z.array(RoleName),
  urls: Urls,
  quotaBytes: z.number().nonnegative(),
  /** `stopped` after a clean stop: known to be away, not silent. */
  state: z.enum(['up', 'stopped']),
  startedMs: z.number(),
});
export type NodeDocument = z.infer<typeof NodeDocument>;

/**
 * Key `lease.<token>`: who may write one segment. Never deleted. Readable by the original's words where it had them
 * (`acquired_on`, `under_promotion`).
 */
export const LeaseDocument = z.object({
  segment: z.string(),
  state: z.enum(['held', 'released', 'shredded']),
  node: z.string(),
  session: z.string(),
  /** Grows at every open. */
  epoch: z.int().positive(),
  schema: z.string(),
  acquired_on: z.number(),
  /** The state in cold storage that this lease knows: its version, checksum and size. null: nothing was published yet. */
  version: z.number().nullable(),
  sha256: z.string().nullable(),
  sizeBytes: z.number().nullable(),
  under_promotion: z.boolean(),
  /** False: every acknowledged write is in `version`. Set before the first write after a promote is acknowledged. */
  unpromoted: z.boolean(),
  /** The stream of the journal that has the segment's records. null: its writes are on the holder's disk alone. */
  stream: z.string().nullable().default(null),
  /** That of the stream when the segment was opened last. null: it was not opened yet. */
  incarnation: z.string().nullable().default(null),
  /** No version that the segment had before it was shredded is above this: copies of that time must never pass for newer ones. */
  formerVersion: z.number().default(0),
});
export type LeaseDocument = z.infer<typeof LeaseDocument>;

/** Key `schema.<token>`. */
export const SchemaDocument = z.object({ id: z.string(), sql: z.string() });
export type SchemaDocument = z.infer<typeof SchemaDocument>;

/** Key `drain.<token>`: an operator wants the node emptied. It stays until it is taken back, whoever leads and however often the node restarts. */
export const DrainDocument = z.object({ node: z.string(), sinceMs: z.number() });
export type DrainDocument = z.infer<typeof DrainDocument>;

/**
 * Key `rule.<token>`: what one segment gets in place of what the settings say of it. `copies` and `tier` are an operator's wish, null: as the settings
 * say. The rest is the leader's work: which nodes hold the copies beyond those of the segment's slot, and how many it has while it is read very much.
 */
export const RuleDocument = z.object({
  segment: z.string(),
  copies: z.int().positive().nullable().default(null),
  tier: z.enum(['hot', 'cold']).nullable().default(null),
  sinceMs: z.number(),
  /** At least so many copies while it is read so much. */
  hot: z.object({ copies: z.int().positive(), sinceMs: z.number() }).nullable().default(null),
  /** Nodes that hold it besides those of its slot. `serving`: the copy there was seen, and reads may be sent to it. */
  extra: z.array(z.object({ node: z.string(), serving: z.boolean() })).default([]),
  /** Of the leader that wrote it last. */
  term: z.int().nonnegative().default(0),
});
export type RuleDocument = z.infer<typeof RuleDocument>;

/**
 * Key `cluster`: which cluster the store is of. Every node keeps the id in its data directory, so that a store that is empty because it was lost is
 * told from a new one. `lost`: nodes have data that this store knows nothing of, and nothing is granted, placed or taken away until it is rebuilt.
 */
export const ClusterDocument = z.object({
  id: z.string(),
  sinceMs: z.number(),
  state: z.enum(['ready', 'lost']),
  /** Of the stores before this one that were lost: data of theirs belongs here. */
  former: z.array(z.string()).default([]),
  /** Nodes whose data of such a time was looked through. */
  rebuiltFrom: z.array(z.string()).default([]),
});
export type ClusterDocument = z.infer<typeof ClusterDocument>;

export function encodeDocument(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(document), 'utf8');
}

/** METADATA_BROKEN names the key when the stored bytes are not such a document. */
export function decodeDocument<T>(schema: z.ZodType<T>, key: string, value: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')));
  } catch (error) {
    throw new TroughError('METADATA_BROKEN', `the document '${key}' cannot be read`, { key }, error);
  }
}
