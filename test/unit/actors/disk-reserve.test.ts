import { expect, test } from 'vitest';
import { DiskReserve } from '../../../src/actors/writer/disk-reserve.ts';
import { type DiskSpace } from '../../../src/disk/disk.ts';
import { dataPaths } from '../../../src/model/paths.ts';
import { FakeDisk } from '../../support/fake-disk.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const MIB = 2 ** 20;

class FillingDisk extends FakeDisk {
  freeBytes = 0;
  looks = 0;

  override space(): Promise<DiskSpace> {
    this.looks += 1;
    return Promise.resolve({ totalBytes: 100_000 * MIB, freeBytes: this.freeBytes });
  }
}

function scene() {
  const clock = new ManualClock();
  const disk = new FillingDisk();
  return { clock, disk, reserve: new DiskReserve({ clock, disk, paths: dataPaths('/data') }) };
}

test('what is left for acknowledged writes is not given to new ones, and that is noticed at once when there is little room', async () => {
  const { disk, reserve } = scene();
  disk.freeBytes = 65 * MIB;
  await reserve.demand();
  disk.freeBytes = 63 * MIB;
  await expect(reserve.demand()).rejects.toMatchObject({ code: 'DISK_FULL' });
  disk.freeBytes = 65 * MIB;
  await reserve.demand();
});

test('a disk with much room is not looked at for each write', async () => {
  const { clock, disk, reserve } = scene();
  disk.freeBytes = 50_000 * MIB;
  for (let write = 0; write < 10; write += 1) await reserve.demand();
  expect(disk.looks).toBe(1);
  await clock.advance(100);
  disk.freeBytes = 0;
  await expect(reserve.demand()).rejects.toMatchObject({ code: 'DISK_FULL' });
});
