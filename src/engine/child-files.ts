import { closeSync, existsSync, fsyncSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, TroughError } from '../errors.ts';
import { openDatabase, type OpenOptions, sqlError, type Sqlite } from './child-database.ts';
import { setApplicationId } from './child-header.ts';

const BUSY_MS = 2_000;
/** The only statement is our own: what SQLite has against it is the fault of the file. */
const NOT_CHECKABLE: ReadonlySet<ErrorCode> = new Set(['SQL_INVALID', 'SQL_FAILED', 'SQL_REFUSED']);

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
export function fileError(thrown: unknown): TroughError {
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

/** What was written to a file, or made and renamed in a directory, is on disk. */
export function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
