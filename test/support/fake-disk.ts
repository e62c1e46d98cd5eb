import { createHash } from 'node:crypto';
import { type DirectoryEntry, type Disk, type DiskSpace, type FileDigest } from '../../src/disk/disk.ts';
import { TroughError } from '../../src/errors.ts';
import { FakeGate } from './fake-gate.ts';

/** Files in memory: path → content. The other fakes read and write the same ones. */
export class FakeDisk implements Disk {
  readonly files = new Map<string, string>();
  /** When files were written to last, where a test says so. */
  readonly times = new Map<string, number>();
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

  async list(directory: string): Promise<readonly DirectoryEntry[]> {
    await this.gate.pass('list');
    const entries = new Map<string, DirectoryEntry>();
    for (const file of this.names(`${directory}/`)) {
      const [name = '', ...rest] = file.slice(directory.length + 1).split('/');
      entries.set(name, { name, isDirectory: rest.length > 0 });
    }
    return [...entries.values()];
  }

  async size(file: string): Promise<number | undefined> {
    await this.gate.pass('size');
    return this.files.get(file)?.length;
  }

  async modified(file: string): Promise<number | undefined> {
    await this.gate.pass('modified');
    return this.files.has(file) ? this.times.get(file) : undefined;
  }

  async digest(file: string, _bytesPerSecond: number, signal?: AbortSignal): Promise<FileDigest> {
    await this.gate.pass('digest', signal);
    return digestOf(this.#must(file));
  }

  async *read(file: string): AsyncIterable<Uint8Array> {
    await this.gate.pass('read');
    yield Buffer.from(this.#must(file));
  }

  async write(file: string, pieces: AsyncIterable<Uint8Array>): Promise<FileDigest> {
    await this.gate.pass('write');
    const parts: Uint8Array[] = [];
    for await (const piece of pieces) parts.push(piece);
    const content = Buffer.concat(parts).toString('utf8');
    this.files.set(file, content);
    return digestOf(content);
  }

  #must(file: string): string {
    const content = this.files.get(file);
    if (content === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${file}`);
    return content;
  }

  /** Sorted paths of all files under a directory. */
  names(directory = ''): string[] {
    return Array.from(this.files.keys())
      .filter((file) => file.startsWith(directory))
      .sort();
  }
}

function digestOf(content: string): FileDigest {
  return { sizeBytes: Buffer.byteLength(content), sha256: createHash('sha256').update(content).digest('hex') };
}
