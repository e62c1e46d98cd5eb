import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk, type FileDigest } from '../../disk/disk.ts';
import { type Engine } from '../../engine/engine.ts';
import { type ErrorCode, TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type CopyPeers, fetchFromPeers } from './copy-peers.ts';
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
  readonly log: Log;
  readonly peers: CopyPeers;
  /** Whether a file that cold storage lacks is still to be kept here: it was not shredded, and its copy belongs on this node. */
  readonly isToBeKept: (id: SegmentId, signal: AbortSignal) => Promise<boolean>;
}

/** Where a copy came from: cold storage, or another node. */
export type CopySource = 'cold' | 'node';

interface Brought {
  readonly digest: FileDigest;
  readonly from: CopySource;
}

/** Cold storage lacks it, or has something else: another node may have what was asked for. */
const LACKING: ReadonlySet<ErrorCode> = new Set(['COLD_MISSING', 'COLD_COPY_TORN', 'COLD_CHANGED', 'SEGMENT_DAMAGED']);

/**
 * Brings one copy up to a version, when the disk has room for it (else DISK_FULL): fetched beside, compared, checked by SQLite, renamed over,
 * then recorded. Never a half-made file under its name. What cold storage does not have comes from another node that has this version; when
 * none has, the error is that of cold storage.
 */
export async function fetchCopy(
  deps: CopyFetcherDeps,
  id: SegmentId,
  row: ManifestRow,
  signal: AbortSignal,
): Promise<CopySource> {
  const { disk, room, paths, inventory, clock } = deps;
  const temporary = paths.temporary(id, `copy-${String(row.version)}`);
  await disk.makeDirectoryOf(temporary);
  await disk.removeDatabase(temporary);
  const giveBack = await room.take(row.sizeBytes);
  try {
    const { digest, from } = await bring(deps, id, row, temporary, signal);
    await disk.moveDatabase(temporary, paths.copy(id));
    await inventory.add({ id, version: row.version, ...digest, verifiedMs: clock.now() });
    return from;
  } finally {
    giveBack();
    await disk.removeDatabase(temporary);
  }
}

async function bring(
  deps: CopyFetcherDeps,
  id: SegmentId,
  row: ManifestRow,
  temporary: string,
  signal: AbortSignal,
): Promise<Brought> {
  try {
    return { digest: await fromCold(deps, id, row, temporary, signal), from: 'cold' };
  } catch (error) {
    if (!LACKING.has(TroughError.from(error).code) || !(await deps.isToBeKept(id, signal))) throw error;
    const digest = await fetchFromPeers(deps, id, row, temporary, signal);
    if (digest === undefined) throw error;
    return { digest, from: 'node' };
  }
}

async function fromCold(
  { cold, disk, engine }: CopyFetcherDeps,
  id: SegmentId,
  row: ManifestRow,
  temporary: string,
  signal: AbortSignal,
): Promise<FileDigest> {
  try {
    const { sizeBytes, sha256 } = await cold.fetch(id, temporary, { sha256: row.sha256 ?? undefined }, signal);
    if (row.sha256 === null && sizeBytes !== row.sizeBytes) {
      throw new TroughError('COLD_CHANGED', `'${id}' in cold storage is no longer the file that was assigned`, {
        segment: id,
      });
    }
    await engine.verify(temporary, signal);
    return { sizeBytes, sha256 };
  } catch (error) {
    await disk.removeDatabase(temporary);
    throw error;
  }
}
