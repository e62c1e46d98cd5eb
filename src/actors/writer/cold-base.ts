import { type ColdStore } from '../../cold/cold-store.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type SegmentId } from '../../model/segment-id.ts';

type Versions = Pick<LeaseDocument, 'version' | 'formerVersion'>;

/** Whether the segment of a lease goes on from a file in cold storage. */
export async function hasColdBase(
  cold: Pick<ColdStore, 'stat'>,
  id: SegmentId,
  { version, formerVersion }: Versions,
): Promise<boolean> {
  // What lies there of a segment that was shredded is what the shred has not removed.
  return version !== null || (formerVersion === 0 && (await cold.stat(id)) !== undefined);
}

/** What every version to come is above; 0: nothing was ever published. */
export function highestVersion({ version, formerVersion }: Versions): number {
  return Math.max(version ?? 0, formerVersion);
}
