import { type DirectoryEntry, type Disk, type DiskSpace, type FileDigest } from '../../src/disk/disk.ts';
import { TroughError } from '../../src/errors.ts';
import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import { type Random } from './random.ts';
import { type SimProcess } from './sim-process.ts';

export interface SimFile {
  readonly content: string;
  /** Bits have turned over: whoever reads the file gets other bytes, and SQLite notices. */
  isDamaged: boolean;
  /** Or it does not: they are in the values. */
  isSilent?: boolean;
  /** What it held since it was synced last, the oldest first; undefined: there was none. The machine's death may bring any of these back. */
  readonly before?: readonly (string | undefined)[];
}

/** What the disk gives of a file. */
function bytesOf({ content, isDamaged }: SimFile): string {
  return isDamaged ? `${content}?` : content;
}

export interface OpenDatabase {
  readonly database: Database.Database;
  readonly prepare: (sql: string) => Database.Statement;
}

export interface DiskWeather {
  readonly delayMs: number;
  /** The share of operations that fail. */
  readonly failures: number;
}

/** SQLite syncs its file now and then by itself. */
const MOST_UNSYNCED = 8;

/** What a machine keeps while no process runs on it. Whatever was said to be done is on it; of what was under way when a process died, some. */
export class SimMachineDisk {
  readonly files = new Map<string, SimFile>();
  readonly databases = new Map<string, OpenDatabase>();
  readonly #random: Random;
  readonly #removed = new Map<string, SimFile>();
  readonly counts = { failed: 0, tornAtCrash: 0, lostAtPowerLoss: 0 };
  weather: DiskWeather = { delayMs: 1, failures: 0 };
  isFull = false;
  /** Told of each file before it goes. */
  onRemove: (path: string, file: SimFile) => void = () => undefined;
  /** Told of each file that has got another name. */
  onMove: (path: string, file: SimFile, from: string) => void = () => undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The power is gone: what was written and not synced may be as it was before, and what was removed without a sync may be there again. */
  loseUnsynced(): void {
    for (const [path, file] of this.files) {
      if (file.before === undefined) continue;
      const content = this.#random.pick([...file.before, file.content]);
      if (content !== file.content) this.counts.lostAtPowerLoss += 1;
      if (content === undefined) this.files.delete(path);
      else this.files.set(path, { content, isDamaged: file.isDamaged });
    }
    for (const [path, file] of this.#removed) {
      if (!this.files.has(path) && this.#random.chance(0.3)) this.files.set(path, file);
    }
    this.#removed.clear();
  }

  /** Of a file of a segment that is open for writing the removal is not synced. */
  remove(path: string): void {
    const file = this.files.get(path);
    if (file === undefined) return;
    this.onRemove(path, file);
    this.files.delete(path);
    if (path.includes('/hot/')) this.#removed.set(path, { content: file.content, isDamaged: file.isDamaged });
  }

  /** Another, empty disk is in the machine. */
  wipe(): void {
    this.files.clear();
    this.#removed.clear();
    this.close();
  }

  close(): void {
    for (const { database } of this.databases.values()) database.close();
    this.databases.clear();
  }

  write(path: string, content: string, isSynced = true): void {
    if (this.isFull) throw new TroughError('DISK_FULL', `'${path}' has no room`);
    if (isSynced) {
      this.files.set(path, { content, isDamaged: false });
      return;
    }
    const there = this.files.get(path);
    const before = [...(there?.before ?? []), there?.content].slice(-MOST_UNSYNCED);
    this.files.set(path, { content, isDamaged: false, before });
  }

  /**
   * `effect`, somewhere between the call and its answer: a process that dies in between leaves it undone, or done and never told of.
   */
  async operate<T>(process: SimProcess, what: string, effect: () => T): Promise<T> {
    const [first, second] = [this.#random.between(0.1, 1), this.#random.between(0.1, 1)];
    const isFailing = this.#random.chance(this.weather.failures);
    let result: T | undefined;
    await process.call(this.weather.delayMs * first, () => {
      if (isFailing) {
        this.counts.failed += 1;
        throw new TroughError('DATA_DIRECTORY_UNUSABLE', `${what}: the disk reports an error`);
      }
      result = effect();
    });
    const isTold = process.onDeath(() => {
      this.counts.tornAtCrash += 1;
    });
    await process.call(this.weather.delayMs * second, () => undefined);
    isTold();
    return result as T;
  }

  database(path: string, migrations: readonly string[]): OpenDatabase {
    const known = this.databases.get(path);
    if (known !== undefined) return known;
    const database = new Database(':memory:');
    for (const sql of migrations) database.exec(sql);
    const prepared = new Map<string, Database.Statement>();
    const prepare = (sql: string): Database.Statement => {
      const known = prepared.get(sql) ?? database.prepare(sql);
      prepared.set(sql, known);
      return known;
    };
    const open = { database, prepare };
    this.databases.set(path, open);
    return open;
  }

  port(process: SimProcess): Disk {
    return new SimDisk(this, process);
  }
}

const TOTAL_BYTES = 1_000_000_000;

/** The disk as one process has it. */
class SimDisk implements Disk {
  readonly #machine: SimMachineDisk;
  readonly #process: SimProcess;

  constructor(machine: SimMachineDisk, process: SimProcess) {
    this.#machine = machine;
    this.#process = process;
  }

  exists(file: string): Promise<boolean> {
    return this.#do('exists', () => this.#machine.files.has(file));
  }

  removeDatabase(file: string): Promise<void> {
    return this.#do('remove', () => {
      this.#machine.remove(file);
    });
  }

  moveDatabase(from: string, to: string): Promise<void> {
    return this.#do('move', () => {
      const { files } = this.#machine;
      const file = files.get(from);
      if (file === undefined) throw new TroughError('DATA_DIRECTORY_UNUSABLE', `there is no file ${from}`);
      files.delete(from);
      files.set(to, file);
      this.#machine.onMove(to, file, from);
    });
  }

  makeDirectoryOf(): Promise<void> {
    return this.#do('make a directory', () => undefined);
  }

  emptyDirectory(directory: string): Promise<void> {
    return this.#do('empty a directory', () => {
      const { files } = this.#machine;
      for (const path of files.keys()) if (path.startsWith(`${directory}/`)) files.delete(path);
    });
  }

  space(): Promise<DiskSpace> {
    return this.#do('look at the space', () => ({
      totalBytes: TOTAL_BYTES,
      freeBytes: this.#machine.isFull ? 0 : TOTAL_BYTES / 2,
    }));
  }

  list(directory: string): Promise<readonly DirectoryEntry[]> {
    return this.#do('list', () => {
      const entries = new Map<string, DirectoryEntry>();
      for (const path of this.#machine.files.keys()) {
        if (!path.startsWith(`${directory}/`)) continue;
        const [name = '', ...rest] = path.slice(directory.length + 1).split('/');
        entries.set(name, { name, isDirectory: rest.length > 0 });
      }
      return [...entries.values()];
    });
  }

  size(file: string): Promise<number | undefined> {
    return this.#do('look at a size', () => this.#machine.files.get(file)?.content.length);
  }

  /** Nobody knows: nothing in the simulation goes by it. */
  modified(): Promise<number | undefined> {
    return Promise.resolve(undefined);
  }

  async digest(file: string, bytesPerSecond: number, signal?: AbortSignal): Promise<FileDigest> {
    const sizeBytes = (await this.size(file)) ?? 0;
    await this.#process.call((sizeBytes / bytesPerSecond) * 1_000, () => undefined);
    signal?.throwIfAborted();
    return this.#do('hash', () => digestOf(bytesOf(this.#must(file))));
  }

  async *read(file: string): AsyncIterable<Uint8Array> {
    yield await this.#do('read', () => Buffer.from(bytesOf(this.#must(file))));
  }

  async write(
    file: string,
    pieces: AsyncIterable<Uint8Array>,
    { unsynced = false }: { readonly unsynced?: boolean } = {},
  ): Promise<FileDigest> {
    const parts: Uint8Array[] = [];
    for await (const piece of pieces) parts.push(piece);
    const content = Buffer.concat(parts).toString('utf8');
    return this.#do('write', () => {
      this.#machine.write(file, content, !unsynced);
      return digestOf(content);
    });
  }

  #must(file: string): SimFile {
    const there = this.#machine.files.get(file);
    if (there === undefined) throw new TroughError('SEGMENT_UNKNOWN', `there is no file ${file}`);
    return there;
  }

  #do<T>(what: string, effect: () => T): Promise<T> {
    return this.#machine.operate(this.#process, what, effect);
  }
}

function digestOf(content: string): FileDigest {
  return { sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}
