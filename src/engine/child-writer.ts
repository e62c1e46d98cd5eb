import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { TroughError } from '../errors.ts';
import { appliedMark } from '../model/applied-mark.ts';
import { applicationIdOf, isInWalFormat, LOOK_BYTES } from '../model/sqlite-header.ts';
import { openDatabase, sqlError, type Sqlite, withMemoryDatabase } from './child-database.ts';
import { applicationId, setApplicationId, sqliteVersion } from './child-header.ts';
import { replayRecords } from './child-replay.ts';
import { RequestRunner } from './child-transaction.ts';
import { type Services, type WireOutcome, type WireRecord, type WireWrite } from './messages.ts';

/** Only the change into WAL waits: for readers of the file as it was before. */
const OPEN_BUSY_MS = 2_000;
/** How long closing waits for readers who are in the way of emptying the WAL. */
const CLOSE_BUSY_MS = 200;
/** Pages of one step of a copy, 1 MiB at SQLite's default; other calls run between the steps. */
const PAGES_PER_STEP = 256;

interface Segment {
  readonly file: string;
  readonly isJournaled: boolean;
  connection: Connection | undefined;
}

interface Connection {
  readonly db: Sqlite;
  readonly runner: RequestRunner;
}

/**
 * The segments that a child has for writing, by handle. Most of them rest at any time, so only so many have a connection: those that were
 * used last, and each that is in a transaction.
 */
export class Writers {
  readonly #mostConnections: number;
  readonly #segments = new Map<number, Segment>();
  readonly #files = new Set<string>();
  /** The one that was not used for the longest first. */
  readonly #connected = new Set<Segment>();
  #lastHandle = 0;
  #sqliteVersion: string | undefined;

  constructor(mostConnections: number) {
    this.#mostConnections = mostConnections;
  }

  open(file: string, isJournaled: boolean): Services['openWriter']['answer'] {
    if (!existsSync(file)) throw new TroughError('SEGMENT_UNKNOWN', 'there is no such file', { file });
    if (this.#files.has(file)) {
      throw new TroughError('SEGMENT_LEASED', 'the segment is open for writing already', { file });
    }
    const { size } = statSync(file);
    const segment: Segment = { file, isJournaled, connection: undefined };
    // What an earlier run left, or another mode, is seen to at once: then the first write does not wait for it, or find it broken.
    if (existsSync(`${file}-wal`) || !isInWalMode(file)) this.#connect(segment);
    const handle = (this.#lastHandle += 1);
    this.#segments.set(handle, segment);
    this.#files.add(file);
    return { handle, sizeBytes: size, sqliteVersion: (this.#sqliteVersion ??= withMemoryDatabase(sqliteVersion)) };
  }

  apply(handle: number, writes: readonly WireWrite[]): readonly WireOutcome[] {
    const { runner } = this.#idle(handle);
    return run(() => runner.apply(writes));
  }

  commit(handle: number, sequence: number | undefined): void {
    const { db, runner } = this.#use(handle);
    if (!db.inTransaction) throw new TroughError('INTERNAL', 'no group is applied');
    run(() => {
      if (sequence !== undefined) setApplicationId(db, appliedMark(sequence));
      runner.commit();
    });
  }

  /** Where nothing is in a WAL the file alone says it: most segments that are opened rest, and a connection to each would take memory and time. */
  applied(handle: number): number {
    const { connection, file } = this.#get(handle);
    const resting = connection === undefined && sizeOf(`${file}-wal`) === 0 ? applicationIdOf(headOf(file)) : undefined;
    if (resting !== undefined) return resting;
    const { db } = this.#use(handle);
    return run(() => applicationId(db));
  }

  setApplicationId(handle: number, value: number): void {
    const { db } = this.#idle(handle);
    run(() => {
      setApplicationId(db, value);
    });
  }

  replay(handle: number, records: readonly WireRecord[]): void {
    const { db, runner } = this.#idle(handle);
    run(() => {
      replayRecords(db, runner, records);
    });
  }

  rollback(handle: number): void {
    const { connection } = this.#get(handle);
    if (connection?.db.inTransaction !== true) return;
    run(() => {
      connection.runner.rollback();
    });
  }

  /**
   * Copies what is committed now. A connection of its own holds one read transaction from the first page to the last, so writes that
   * come in between neither show in the copy nor make it start again.
   */
  async copyTo(handle: number, to: string, signal: AbortSignal): Promise<{ applied: number }> {
    const { file } = this.#get(handle);
    const source = openDatabase(file, { readonly: true, busyMs: OPEN_BUSY_MS });
    try {
      source.exec('BEGIN');
      source.prepare('SELECT count(*) FROM sqlite_schema').get();
      const applied = applicationId(source);
      await source.backup(to, {
        progress: () => {
          if (signal.aborted) throw new TroughError('ENGINE_CANCELLED', 'the snapshot was cancelled');
          return PAGES_PER_STEP;
        },
      });
      return { applied };
    } catch (error) {
      throw sqlError(error, 'run');
    } finally {
      source.close();
    }
  }

  close(handle: number): void {
    const segment = this.#get(handle);
    this.#segments.delete(handle);
    this.#files.delete(segment.file);
    this.#connected.delete(segment);
    const { connection } = segment;
    if (connection !== undefined)
      run(() => {
        closeWriter(connection.db);
      });
  }

  closeAll(): void {
    for (const handle of [...this.#segments.keys()]) this.close(handle);
  }

  #idle(handle: number): Connection {
    const connection = this.#use(handle);
    if (connection.db.inTransaction) throw new TroughError('INTERNAL', 'a group is applied already and not ended');
    return connection;
  }

  #use(handle: number): Connection {
    const segment = this.#get(handle);
    if (segment.connection === undefined) return this.#connect(segment);
    this.#connected.delete(segment);
    this.#connected.add(segment);
    return segment.connection;
  }

  #connect(segment: Segment): Connection {
    if (this.#connected.size >= this.#mostConnections) this.#disconnectOne();
    const db = openForWriting(segment.file, segment.isJournaled ? 'NORMAL' : 'FULL');
    const connection = { db, runner: new RequestRunner(db) };
    segment.connection = connection;
    this.#connected.add(segment);
    return connection;
  }

  #disconnectOne(): void {
    for (const segment of this.#connected) {
      const { connection } = segment;
      if (connection?.db.inTransaction !== false) continue;
      segment.connection = undefined;
      this.#connected.delete(segment);
      // Not `closeWriter`: it would wait for readers, and what is in the WAL may stay there.
      connection.db.close();
      return;
    }
  }

  #get(handle: number): Segment {
    const segment = this.#segments.get(handle);
    if (segment === undefined) throw new TroughError('INTERNAL', 'the write session is closed');
    return segment;
  }
}

/** WAL. FULL: what is committed is on disk. NORMAL: it is intact, but the machine's death may take the last commits along. */
export function openForWriting(file: string, synchronous: 'FULL' | 'NORMAL' = 'FULL'): Sqlite {
  return run(() => {
    const db = openDatabase(file, { readonly: false, busyMs: OPEN_BUSY_MS });
    try {
      db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
      db.exec('PRAGMA busy_timeout = 0');
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** What is in the WAL goes into the file where no reader is in the way, so that the file alone is the segment. */
export function closeWriter(db: Sqlite): void {
  if (db.inTransaction) db.exec('ROLLBACK');
  try {
    db.exec(`PRAGMA busy_timeout = ${String(CLOSE_BUSY_MS)}`);
    db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
  } finally {
    db.close();
  }
}

function isInWalMode(file: string): boolean {
  return isInWalFormat(headOf(file));
}

function headOf(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(LOOK_BYTES);
    return head.subarray(0, readSync(fd, head, 0, LOOK_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}

/** 0: there is none. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function run<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw sqlError(error, 'run');
  }
}
