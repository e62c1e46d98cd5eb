import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, TroughError } from '../errors.ts';
import { openDatabase, type OpenOptions, sqlError, type Sqlite } from './child-database.ts';
import { setApplicationId } from './child-header.ts';
import { RequestRunner } from './child-transaction.ts';
import { type WireStamp } from './messages.ts';

const BUSY_MS = 2_000;
/** The only statement is our own: what SQLite has against it is the fault of the file. */
const NOT_CHECKABLE: ReadonlySet<ErrorCode> = new Set(['SQL_INVALID', 'SQL_FAILED', 'SQL_REFUSED']);

/** What a script is not to blame for, or not alone. */
const NOT_ITS_FAULT: ReadonlySet<ErrorCode> = new Set(['DISK_FULL', 'ENGINE_MEMORY', 'INTERNAL']);

/** SCHEMA_INVALID when the script does not run on an empty database; `constraint` in the context when it is its data that fails. */
export function checkSchema(sql: string): void {
  const db = openDatabase(':memory:', { readonly: false, busyMs: 0 });
  try {
    runSchema(db, sql, undefined);
  } finally {
    db.close();
  }
}

/**
 * Makes the file from the schema under a temporary name beside it, then renames it: a half-made file is never seen. So nothing needs to be
 * on disk before the one sync at the end; and it is in WAL mode already, which its first writer would have to sync otherwise.
 */
export function buildFile(file: string, temporary: string, sql: string, stamp: WireStamp | undefined): void {
  if (existsSync(file)) return;
  const directory = dirname(file);
  try {
    const made = mkdirSync(directory, { recursive: true });
    if (made !== undefined) sync(dirname(made));
    removeTemporary(temporary);
    closeSync(openSync(temporary, 'wx'));
    const db = openDatabase(temporary, { readonly: false, busyMs: 0 });
    try {
      db.exec('PRAGMA synchronous = OFF');
      runSchema(db, sql, stamp);
      db.exec('PRAGMA journal_mode = WAL');
    } finally {
      db.close();
    }
    sync(temporary);
    renameSync(temporary, file);
    sync(directory);
  } catch (error) {
    removeTemporary(temporary);
    throw fileError(error);
  }
}

function removeTemporary(temporary: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(temporary + suffix, { force: true });
}

/** SEGMENT_DAMAGED with the first finding. */
export function verify(file: string): void {
  if (!existsSync(file)) throw new TroughError('SEGMENT_UNKNOWN', 'there is no such file', { file });
  // What lies beside it is part of it when a crash has left it there.
  const isFrozen = !['-wal', '-journal'].some((suffix) => existsSync(file + suffix));
  try {
    withDatabase(file, { readonly: true, busyMs: BUSY_MS, isFrozen }, quickCheck);
  } catch (thrown) {
    const error = TroughError.from(thrown);
    if (!NOT_CHECKABLE.has(error.code)) throw error;
    throw new TroughError('SEGMENT_DAMAGED', `it cannot be checked: ${error.message}`, error.context, error);
  }
}

/** Makes a fresh copy a plain file without WAL, checked and synced. `newId`: its `application_id` from now on. */
export function finishSnapshot(file: string, newId: number | undefined): { sizeBytes: number } {
  withDatabase(file, { readonly: false, busyMs: BUSY_MS }, (db) => {
    db.exec('PRAGMA journal_mode = DELETE');
    if (newId !== undefined) setApplicationId(db, newId);
    quickCheck(db);
  });
  sync(file);
  sync(dirname(file));
  return { sizeBytes: statSync(file).size };
}

/** The last error of the file system, in our words. */
function fileError(thrown: unknown): TroughError {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new TroughError('DISK_FULL', 'no space left on the device', {}, thrown);
  return sqlError(thrown, 'run');
}

function withDatabase(file: string, options: OpenOptions, run: (db: Sqlite) => void): void {
  let db: Sqlite | undefined;
  try {
    db = openDatabase(file, options);
    run(db);
  } catch (error) {
    throw fileError(error);
  } finally {
    db?.close();
  }
}

function quickCheck(db: Sqlite): void {
  const finding = db.prepare<unknown[], string>('PRAGMA quick_check(1)').pluck().get();
  if (finding !== 'ok') throw new TroughError('SEGMENT_DAMAGED', finding ?? 'quick_check gave no answer');
}

function runSchema(db: Sqlite, sql: string, stamp: WireStamp = stampOfNow()): void {
  try {
    new RequestRunner(db).runAlone(sql, stamp);
  } catch (error) {
    const failure = sqlError(error, 'run');
    if (NOT_ITS_FAULT.has(failure.code)) throw failure;
    throw new TroughError('SCHEMA_INVALID', failure.message, failure.context, error);
  }
}

function stampOfNow(): WireStamp {
  return { timeMs: Date.now(), seed: randomBytes(16).toString('hex') };
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
