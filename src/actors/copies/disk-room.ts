import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';

const FLOOR_BYTES = 256 * 1024 * 1024;
const FLOOR_SHARE = 0.05;

/** Keeps copies from filling the disk: journal, lease files and answers need some of it too. Each fetch takes its room before it starts. */
export class DiskRoom {
  readonly #disk: Disk;
  readonly #directory: string;
  /** What the running fetches may still write. */
  #takenBytes = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Holds the room until the answer is called. DISK_FULL when the file would leave less than 256 MiB or 5 % free, whichever is less. */
  async take(sizeBytes: number): Promise<() => void> {
    const { freeBytes, totalBytes } = await this.#disk.space(this.#directory);
    const floorBytes = Math.min(FLOOR_BYTES, totalBytes * FLOOR_SHARE);
    if (freeBytes - this.#takenBytes < sizeBytes + floorBytes) {
      throw new TroughError('DISK_FULL', 'the disk has no room for another copy', { sizeBytes, freeBytes, floorBytes });
    }
    this.#takenBytes += sizeBytes;
    return () => {
      this.#takenBytes -= sizeBytes;
    };
  }
}
