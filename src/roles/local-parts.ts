import { type OwnCatalogue } from '../actors/catalogue-reads.ts';
import { type CopierState } from '../actors/copies/copier-state.ts';
import { type Inventory } from '../actors/copies/inventory.ts';
import { type CopyFiles, type HotFiles } from '../messages/local-files.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type ClusterIdentity } from './cluster-identity.ts';

/** What the roles of one process have for each other. A role that does not run here leaves its part empty. */
export class LocalParts implements HotFiles, CopyFiles {
  /** Whose data is here; undefined until this process has joined. */
  identity: ClusterIdentity | undefined;
  inventory: Inventory | undefined;
  copier: CopierState | undefined;
  catalogue: OwnCatalogue | undefined;
  lost: { readonly count: number } | undefined;
  writer:
    | (HotFiles & {
        readonly openCount: number;
        readonly isLeaving: boolean;
        readonly rates: { readonly most: () => readonly { readonly segment: string }[] };
      })
    | undefined;
  /** Gives to other writers what they can go on with. */
  leave: () => Promise<void> = () => Promise.resolve();
  /** Ends the waiting for changes: it must not hold up the stop. */
  stopFeeds: () => void = () => undefined;
  /** Tells the copier, where there is one, that a copy is broken. */
  reportDamaged: (segment: SegmentId) => void = () => undefined;

  hotFile(segment: SegmentId): ReturnType<HotFiles['hotFile']> {
    return this.writer?.hotFile(segment);
  }

  underWay(segment: SegmentId): ReturnType<HotFiles['underWay']> {
    return this.writer?.underWay(segment);
  }

  copy(segment: SegmentId): ReturnType<CopyFiles['copy']> {
    return this.inventory?.copy(segment);
  }
}
