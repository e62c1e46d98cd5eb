import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type DiskRoom } from './disk-room.ts';
import { type Inventory } from './inventory.ts';

export interface CopyFetcherDeps {
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly room: DiskRoom;
  readonly engine: Engine;
  readonly paths: DataPaths;
  readonly inventory: Inventory;
  readonly clock: Clock;
}

/** Brings one copy up to a version, when the disk has room for it (else DISK_FULL): fetched beside, compared, checked by SQLite, renamed over, then recorded. Never a half-made file under its name. */
export async function fetchCopy(
  deps: CopyFetcherDeps,
  id: SegmentId,
  row: ManifestRow,
  signal: AbortSignal,
): Promise<void> {
  const { cold, disk, room, engine, paths, inventory, clock } = deps;
  const temporary = paths.temporary(id, `copy-${String(row.version)}`);
  await disk.makeDirectoryOf(temporary);
  await disk.removeDatabase(temporary);
  const giveBack = await room.take(row.sizeBytes);
  try {
    const fetched = await cold.fetch(id, temporary, { sha256: row.sha256 ?? undefined }, signal);
    if (row.sha256 === null && fetched.sizeBytes !== row.sizeBytes) {
      throw new TroughError('COLD_CHANGED', `'${id}' in cold storage is no longer the file that was assigned`, {
        segment: id,
      });
    }
    await engine.verify(temporary, signal);
    await disk.moveDatabase(temporary, paths.copy(id));
    const { sizeBytes, sha256 } = fetched;
    await inventory.add({ id, version: row.version, sizeBytes, sha256, verifiedMs: clock.now() });
  } finally {
    giveBack();
    await disk.removeDatabase(temporary);
  }
}
