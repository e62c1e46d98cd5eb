import { type Disk, type DiskSpace } from '../../src/disk/disk.ts';
import { FakeGate } from './fake-gate.ts';

/** Files in memory: path → content. The other fakes read and write the same ones. */
export class FakeDisk implements Disk {
  readonly files = new Map<string, string>();
  readonly gate = new FakeGate();

  async exists(file: string): Promise<boolean> {
    await this.gate.pass('exists');
    return this.files.has(file);
  }

  async removeDatabase(file: string): Promise<void> {
    await this.gate.pass('remove');
    this.files.delete(file);
  }

  async moveDatabase(from: string, to: string): Promise<void> {
    await this.gate.pass('move');
    const content = this.files.get(from);
    if (content === undefined) throw new Error(`there is no file ${from}`);
    this.files.delete(from);
    this.files.set(to, content);
  }

  makeDirectoryOf(): Promise<void> {
    return this.gate.pass('makeDirectory');
  }

  async emptyDirectory(directory: string): Promise<void> {
    await this.gate.pass('empty');
    for (const file of this.names(directory)) this.files.delete(file);
  }

  async space(): Promise<DiskSpace> {
    await this.gate.pass('space');
    return { totalBytes: 1_000_000, freeBytes: 500_000 };
  }

  /** Sorted paths of all files under a directory. */
  names(directory = ''): string[] {
    return Array.from(this.files.keys())
      .filter((file) => file.startsWith(directory))
      .sort();
  }
}
