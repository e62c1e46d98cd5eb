import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type Clock } from '../../runtime/clock.ts';

export interface DiskReserveDeps {
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
}

const RESERVE_BYTES = 64 * 1024 * 1024;
/** Of a small disk. */
const RESERVE_SHARE = 0.02;
/** More than a disk takes in within `GOOD_FOR_MS`: with so much to spare nobody looks again meanwhile. */
const AMPLE_BYTES = 2 ** 30;
const GOOD_FOR_MS = 100;

/**
 * Room on the disk that is left for what was acknowledged already. A write is in the journal before it is committed here, so that the disk is full must be
 * known before: later the write is kept all the same, and its segment cannot be read until there is room again.
 */
export class DiskReserve {
  readonly #deps: DiskReserveDeps;
  #hadAmpleRoomAt = -Infinity;

  constructor(deps: DiskReserveDeps) {
    this.#deps = deps;
  }

  /** Error: DISK_FULL. */
  async demand(): Promise<void> {
    const { clock, disk, paths } = this.#deps;
    if (clock.monotonic() - this.#hadAmpleRoomAt < GOOD_FOR_MS) return;
    const { totalBytes, freeBytes } = await disk.space(paths.root);
    const reserve = Math.min(RESERVE_BYTES, totalBytes * RESERVE_SHARE);
    if (freeBytes < reserve) {
      const message = `the disk of this node is full: ${String(freeBytes)} bytes are free, and nothing was written`;
      throw new TroughError('DISK_FULL', message, { freeBytes });
    }
    if (freeBytes >= reserve + AMPLE_BYTES) this.#hadAmpleRoomAt = clock.monotonic();
  }
}
