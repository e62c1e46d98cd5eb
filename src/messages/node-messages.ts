import { z } from 'zod';
import { ManifestRow } from './control.ts';
import { LeaseDocument } from './documents.ts';

/** `trough.beat.<node>`, every 2 s. */
export const Beat = z.object({
  node: z.string(),
  session: z.string(),
  sequence: z.int(),
  /** One-minute load average per core. */
  load: z.number(),
  storedBytes: z.number(),
  copies: z.int(),
  /** Copies that the node still has to fetch. */
  pending: z.int(),
  /** What these weigh together. */
  pendingBytes: z.number().default(0),
  /** How fast copies came in lately, while some were to be fetched; null: none did since the start. */
  fetched: z.object({ copiesPerSecond: z.number(), bytesPerSecond: z.number() }).nullable().default(null),
  leases: z.int(),
  /** Copies that were found missing or wrong and are not replaced yet. */
  damaged: z.int().optional(),
  /** Copies that cannot be fetched, as their files in cold storage are bad or gone and no node has them: how many, and one of them. */
  unfetchable: z.object({ copies: z.int(), segment: z.string(), code: z.string() }).nullable().optional(),
  /** The segments that are read here far more than others, few or none. */
  read: z.array(z.object({ segment: z.string(), perSecond: z.number() })).optional(),
  /** The 32 segments that were written most here in the last minute, the most written first. */
  written: z.array(z.string()).optional(),
  /** Files in `lost+found`. */
  lostFiles: z.int().optional(),
  /** It is being stopped: nothing new is given to it. */
  leaving: z.boolean().optional(),
  /** The placement that it has taken in completely: every copy of it is there. */
  complete: z.object({ term: z.int(), epoch: z.int() }).nullable(),
});
export type Beat = z.infer<typeof Beat>;

/** `trough.roll`, every second, from the leader: the last beat that it has of each node. */
export const Roll = z.object({
  term: z.int(),
  node: z.string(),
  /** The metadata revision a moment ago, by the leader's own renewal: a node that has applied less is behind. */
  revision: z.number(),
  beats: z.record(z.string(), z.object({ session: z.string(), sequence: z.int() })),
});
export type Roll = z.infer<typeof Roll>;

/** `trough.wanted`, to whoever leads: somebody waits for a segment whose holder is away. Said again when that one tries again. */
export const Wanted = z.object({ segment: z.string() });

/**
 * `trough.assign.<node>`: what changed for one node. `sequence` counts these messages per node and term; a gap, another term or another
 * epoch sends the node to the manifest. Repeated every 30 s without changes.
 */
export const Assign = z.object({
  term: z.int(),
  epoch: z.int(),
  sequence: z.int(),
  changed: z.array(ManifestRow),
  /** Segments that were shredded: the node looks at their leases itself before it deletes anything. */
  shredded: z.array(z.string()),
  /** Segments whose copies may not belong here any more: the node looks at the documents itself before it gives any up. */
  unasked: z.array(z.string()).default([]),
  /** Further places are to come to the node when it is their turn: of what it holds beyond its manifest it may have to hold much again. */
  more: z.boolean().default(false),
});
export type Assign = z.infer<typeof Assign>;

/** `trough.node.<node>.open`: the leader has granted the lease named here; the node opens the segment. */
export const OpenRequest = z.object({
  /** As it was granted, and its revision. What is old in it is found at the first compare-and-set. */
  lease: LeaseDocument,
  revision: z.number(),
  /** Makes the segment when there is no base. */
  schemaSql: z.string(),
  /** Cold storage has a file of it to start from. */
  hasBase: z.boolean(),
});
/** `trough.node.<node>.prepare`: the holder is about to hand the segment over. Under the lease as the holder has it; nothing is claimed. */
export const PrepareRequest = z.object({ lease: LeaseDocument });
export type PrepareRequest = z.infer<typeof PrepareRequest>;
/** Whether a file is there now that has what the journal had. */
export const PrepareAnswer = z.object({ prepared: z.boolean() });
export type PrepareAnswer = z.infer<typeof PrepareAnswer>;

export const OpenAnswer = z.object({ sizeBytes: z.number(), created: z.boolean() });
export type OpenRequest = z.infer<typeof OpenRequest>;
export type OpenAnswer = z.infer<typeof OpenAnswer>;

/** `trough.node.<node>.promote`; `.close` publishes what is unpublished, then gives the lease up. `discard`: without publishing, for a shred. */
export const HolderRequest = z.object({ segment: z.string(), epoch: z.int(), discard: z.boolean().default(false) });
export type HolderRequest = z.infer<typeof HolderRequest>;
/** What is in cold storage after a promote or close. Absent after a discard. */
export const Published = z.object({
  version: z.number(),
  sizeBytes: z.number(),
  sha256: z.string(),
  path: z.string(),
  modifiedMs: z.number(),
});
export type Published = z.infer<typeof Published>;
export const HolderAnswer = z.object({ published: Published.optional() });
export type HolderAnswer = z.infer<typeof HolderAnswer>;

/** `trough.node.<node>.handover`: the lease goes to that session of another writer, which goes on from the journal. */
export const HandOverRequest = z.object({
  segment: z.string(),
  epoch: z.int(),
  to: z.object({ node: z.string(), session: z.string() }),
});
export const HandOverAnswer = z.object({ sizeBytes: z.number() });
export type HandOverRequest = z.infer<typeof HandOverRequest>;
export type HandOverAnswer = z.infer<typeof HandOverAnswer>;

export const LeaseRevision = z.object({ segment: z.string(), revision: z.number() });
export type LeaseRevision = z.infer<typeof LeaseRevision>;
/** `trough.node.<node>.applied`: answered when the node knows of these leases. */
export const AppliedRequest = z.object({ leases: z.array(LeaseRevision) });

export const PingAnswer = z.object({ node: z.string(), session: z.string() });
export type PingAnswer = z.infer<typeof PingAnswer>;
