import { existsSync, statSync } from 'node:fs';
import { TroughError } from '../errors.ts';
import { appliedMark } from '../model/applied-mark.ts';
import { openDatabase, sqlError, type Sqlite } from './child-database.ts';
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

interface OpenWriter {
  readonly file: string;
  readonly db: Sqlite;
  readonly runner: RequestRunner;
}

/** The segments that a child holds open for writing, by handle. */
export class Writers {
  readonly #open = new Map<number, OpenWriter>();
  #lastHandle = 0;

  open(file: string): Services['openWriter']['answer'] {
    if (!existsSync(file)) throw new TroughError('SEGMENT_UNKNOWN', 'there is no such file', { file });
    if ([...this.#open.values()].some((other) => other.file === file)) {
      throw new TroughError('SEGMENT_LEASED', 'the segment is open for writing already', { file });
    }
    const { size } = statSync(file);
    const db = openForWriting(file);
    const handle = (this.#lastHandle += 1);
    this.#open.set(handle, { file, db, runner: new RequestRunner(db) });
    return { handle, sizeBytes: size, sqliteVersion: sqliteVersion(db) };
  }

  apply(handle: number, writes: readonly WireWrite[]): readonly WireOutcome[] {
    const runner = this.#idle(handle);
    return run(() => runner.apply(writes));
  }

  commit(handle: number, sequence: number | undefined): void {
    const { db, runner } = this.#get(handle);
    if (!db.inTransaction) throw new TroughError('INTERNAL', 'no group is applied');
    run(() => {
      if (sequence !== undefined) setApplicationId(db, appliedMark(sequence));
      runner.commit();
    });
  }

  applied(handle: number): number {
    const { db } = this.#get(handle);
    return run(() => applicationId(db));
  }

  replay(handle: number, records: readonly WireRecord[]): void {
    const runner = this.#idle(handle);
    const { db } = this.#get(handle);
    run(() => {
      replayRecords(db, runner, records);
    });
  }

  rollback(handle: number): void {
    const { db, runner } = this.#get(handle);
    if (!db.inTransaction) return;
    run(() => {
      runner.rollback();
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
    const { db } = this.#get(handle);
    this.#open.delete(handle);
    run(() => {
      closeWriter(db);
    });
  }

  closeAll(): void {
    for (const handle of [...this.#open.keys()]) this.close(handle);
  }

  #idle(handle: number): RequestRunner {
    const { db, runner } = this.#get(handle);
    if (db.inTransaction) throw new TroughError('INTERNAL', 'a group is applied already and not ended');
    return runner;
  }

  #get(handle: number): OpenWriter {
    const writer = this.#open.get(handle);
    if (writer === undefined) throw new TroughError('INTERNAL', 'the write session is closed');
    return writer;
  }
}

/** WAL and synchronous FULL: what is committed is on disk. */
export function openForWriting(file: string): Sqlite {
  return run(() => {
    const db = openDatabase(file, { readonly: false, busyMs: OPEN_BUSY_MS });
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
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

function run<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw sqlError(error, 'run');
  }
}
