import { type ManifestRow } from '../../messages/control.ts';
import { isSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Inventory } from './inventory.ts';

/** Copies that have the right number and something else in them: they are as bad as damaged ones. */
export function wrongCopies(
  inventory: Inventory,
  rows: readonly ManifestRow[],
  isFetching: (id: SegmentId) => boolean,
): Promise<readonly SegmentId[]> {
  const compared: [string, number, string][] = [];
  for (const { id, version, sha256 } of rows) {
    if (sha256 === null || !isSegmentId(id) || isFetching(id)) continue;
    if (inventory.held(id)?.version === version) compared.push([id, version, sha256]);
  }
  return inventory.others(compared);
}
