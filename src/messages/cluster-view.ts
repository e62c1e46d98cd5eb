import { type Beat } from './node-messages.ts';
import {
  type ClusterDocument,
  type DrainDocument,
  type LeaderDocument,
  type LeaseDocument,
  type NodeDocument,
  type RuleDocument,
  type SchemaDocument,
} from './documents.ts';
import { TroughError } from '../errors.ts';

/** `suspect`: silent for 6 s, routing avoids it. `lost`: silent for 10 s, its leases may move. `stopped`: it said good-bye. */
export type NodeState = 'alive' | 'suspect' | 'lost' | 'stopped';

export interface NodeEntry {
  readonly document: NodeDocument;
  readonly beat: Beat | undefined;
  readonly state: NodeState;
  /** ms since its last sign of life (or since it was first known), by the clock of this process, while it was connected. */
  readonly silentMs: number;
}

export interface LeaseEntry {
  readonly document: LeaseDocument;
  readonly revision: number;
}

export interface RuleEntry {
  readonly document: RuleDocument;
  readonly revision: number;
}

/**
 * What this process knows of the cluster: the documents of the metadata store and the nodes' beats, folded by one actor, read by the others.
 * Eventually right; whatever must be exact is read again from the store or guarded by compare-and-set.
 */
export interface ClusterView {
  /** False until the present documents have all arrived. */
  readonly current: boolean;
  /** The metadata revision applied so far. */
  readonly revision: number;
  /** Which cluster the store is of; undefined until a first node has said so. */
  cluster(): { readonly document: ClusterDocument; readonly revision: number } | undefined;
  leader(): { readonly document: LeaderDocument; readonly revision: number; readonly unchangedMs: number } | undefined;
  node(name: string): NodeEntry | undefined;
  nodes(): readonly NodeEntry[];
  /** Since when the node is to be emptied; undefined when it is not. */
  drainOf(node: string): DrainDocument | undefined;
  /** What the segment gets in place of what the settings say. */
  rule(segment: string): RuleEntry | undefined;
  rules(): Iterable<RuleEntry>;
  lease(segment: string): LeaseEntry | undefined;
  leases(): Iterable<LeaseEntry>;
  /** The number of leases that the node holds. */
  leasesOf(node: string): number;
  /** The bytes of the placement document and their revision. */
  placement(): { readonly value: Uint8Array; readonly revision: number } | undefined;
  schema(id: string): SchemaDocument | undefined;
  schemaIds(): readonly string[];
}

/** Nodes have data that the store knows nothing of. */
export function isLost(view: Pick<ClusterView, 'cluster'>): boolean {
  return view.cluster()?.document.state === 'lost';
}

export function metadataLost(): TroughError {
  const message =
    'the metadata of this cluster was lost while its nodes still have data: nothing is granted or moved until an operator runs `trough rebuild`';
  return new TroughError('METADATA_LOST', message);
}
