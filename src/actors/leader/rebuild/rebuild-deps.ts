import { type ColdStore } from '../../../cold/cold-store.ts';
import { type Journal } from '../../../journal/journal.ts';
import { type Log } from '../../../log.ts';
import { type ClusterView } from '../../../messages/cluster-view.ts';
import { type NodeCalls } from '../../../messages/node-calls.ts';
import { type SurveyAnswer, type SurveyRequest } from '../../../messages/rebuild.ts';
import { type MetadataStore } from '../../../metadata/metadata-store.ts';
import { type Clock } from '../../../runtime/clock.ts';
import { type CatalogueEntry } from '../catalogue-rows.ts';
import { type RebuildRows } from './rebuild-rows.ts';

export interface RebuildDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly cold: ColdStore;
  readonly journal?: Journal;
  readonly nodes: Pick<NodeCalls, 'open'>;
  /** NODE_UNAVAILABLE when it does not answer. */
  readonly survey: (node: string, request: SurveyRequest) => Promise<SurveyAnswer>;
  readonly rows: Pick<RebuildRows, 'isListedSince' | 'of' | 'count' | 'schemas' | 'rules'>;
  readonly catalogue: {
    /** What cold storage has of these is known now. */
    readonly settled: (entries: readonly CatalogueEntry[]) => Promise<void>;
    /** Takes in segments that only their leases know of. */
    readonly adopt: () => void;
  };
  /** Gives the lease of a node that is gone to another. False: it is not time for that yet. */
  readonly takeOver: (segment: string) => Promise<boolean>;
  /** undefined: this process does not lead (any more). */
  readonly term: () => number | undefined;
  /** The largest number of copies that any segment is to have. */
  readonly ranks: number;
  /** When this process began, ms since 1970: a listing of cold storage from before does not count. */
  readonly startedMs: number;
}
