import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { TroughError } from '../errors.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type SqlParams, type SqlValue } from '../model/sql-types.ts';
import { outOfMemory } from './out-of-memory.ts';
import { SQL_FUNCTIONS, USER_FUNCTION_FAILED } from './sql-functions.ts';

// better-sqlite3 looks at it when the first database is opened: names may be URIs, which alone can say that a file is immutable.
process.env['SQLITE_USE_URI'] = '1';

export type Sqlite = Database.Database;
export type SqliteStatement = Database.Statement<unknown[], SqlValue[]>;

export interface OpenOptions {
  readonly readonly: boolean;
  readonly busyMs: number;
  /**
   * Nobody writes the file as long as it is open. SQLite then takes no locks, looks for no changes (a point read costs a fifth) and
   * neither reads nor makes a file beside it, even when the header says WAL. The VFS without locks keeps no list of the process's files
   * either, which is walked at every open with the others (SQLite's os_unix.c, inodeList).
   */
  readonly isFrozen?: boolean;
}

/** Every database of a child is opened here: integers exact, the functions of the original, nothing trusted that need not be. */
export function openDatabase(file: string, options: OpenOptions): Sqlite {
  const db = new Database(nameOf(file, options), {
    readonly: options.readonly,
    fileMustExist: file !== ':memory:',
    timeout: options.busyMs,
  });
  try {
    db.defaultSafeIntegers(true);
    // Python's sqlite3 leaves foreign keys off.
    db.exec('PRAGMA foreign_keys = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0');
    if (options.readonly) db.exec('PRAGMA query_only = ON; PRAGMA trusted_schema = OFF');
    // A writer must not be able to make an index or a generated column of them: no reader, and no check, could open the file.
    const deterministic = options.readonly;
    for (const { name, run } of GUARDED_FUNCTIONS) db.function(name, { deterministic, safeIntegers: true }, run);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A database in memory, as long as `run` takes. */
export function withMemoryDatabase<T>(run: (db: Sqlite) => T): T {
  const db = openDatabase(':memory:', { readonly: false, busyMs: 0 });
  try {
    return run(db);
  } finally {
    db.close();
  }
}

/** An absolute path is never taken for a URI. */
function nameOf(file: string, { isFrozen = false }: OpenOptions): string {
  if (file === ':memory:') return file;
  return isFrozen ? `${pathToFileURL(file).href}?immutable=1&vfs=unix-none` : resolve(file);
}

class UserFunctionError extends Error {}

const GUARDED_FUNCTIONS = SQL_FUNCTIONS.map(({ name, parameters, run }) => ({
  name,
  // better-sqlite3 takes the number of arguments from the function's length.
  run: Object.defineProperty(guard(run), 'length', { value: parameters }),
}));

function guard(run: (...values: readonly SqlValue[]) => SqlValue): (...values: SqlValue[]) => SqlValue {
  return (...values) => {
    try {
      return run(...values);
    } catch (error) {
      throw new UserFunctionError(USER_FUNCTION_FAILED, { cause: error });
    }
  };
}

/** Arguments for better-sqlite3's `bind`: first those without a name, then one object of those with one. It binds a number as REAL, a bigint as INTEGER. */
export function bindings(statement: SqlStatement, params: SqlParams | undefined): unknown[] {
  const { parameters } = statement;
  if (params === undefined || isList(params)) {
    const given = params ?? [];
    if (given.length !== parameters.length) throw wrongCount(parameters.length, given.length);
    return bind(parameters, (index) => given[index] ?? null);
  }
  if (parameters.includes(null)) throw wrongCount(parameters.length, 0);
  return bind(parameters, (_, name) => {
    if (name === null || !Object.hasOwn(params, name)) {
      throw new TroughError('SQL_INVALID', `You did not supply a value for binding parameter :${String(name)}.`);
    }
    return params[name] ?? null;
  });
}

function bind(
  parameters: SqlStatement['parameters'],
  valueOf: (index: number, name: string | null) => SqlValue,
): unknown[] {
  const unnamed: unknown[] = [];
  const named = Object.create(null) as Record<string, unknown>;
  let hasNames = false;
  for (const [index, name] of parameters.entries()) {
    const value = valueOf(index, name);
    if (name === null) {
      unnamed.push(value);
      continue;
    }
    if (name in named)
      throw new TroughError('SQL_INVALID', `two parameters differ only in the character before '${name}'`);
    hasNames = true;
    named[name] = value;
  }
  return hasNames ? [...unnamed, named] : unnamed;
}

function wrongCount(uses: number, supplied: number): TroughError {
  const text = `The current statement uses ${String(uses)}, and there are ${String(supplied)} supplied.`;
  return new TroughError('SQL_INVALID', `Incorrect number of bindings supplied. ${text}`);
}

function isList(params: SqlParams): params is readonly SqlValue[] {
  return Array.isArray(params);
}

/** What SQLite threw, as an error of ours with SQLite's words. `phase`: preparing finds faults of the SQL, running those of the data. */
export function sqlError(thrown: unknown, phase: 'prepare' | 'run'): TroughError {
  if (thrown instanceof TroughError) return thrown;
  if (thrown instanceof UserFunctionError) return new TroughError('SQL_FAILED', thrown.message, {}, thrown.cause);
  if (thrown instanceof Database.SqliteError) return fromSqlite(thrown, phase);
  if (isOutOfMemory(thrown)) return outOfMemory({}, thrown);
  if (thrown instanceof RangeError || thrown instanceof TypeError)
    return new TroughError('SQL_INVALID', thrown.message, {}, thrown);
  return TroughError.from(thrown);
}

function fromSqlite(error: InstanceType<typeof Database.SqliteError>, phase: 'prepare' | 'run'): TroughError {
  const { code, message } = error;
  const context = { sqlite: code };
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || message === 'unsupported file format')
    return new TroughError('SEGMENT_DAMAGED', message, context, error);
  if (code.startsWith('SQLITE_CONSTRAINT'))
    return new TroughError('SQL_FAILED', message, { ...context, constraint: true }, error);
  if (code.startsWith('SQLITE_NOMEM')) return outOfMemory(context, error);
  if (code === 'SQLITE_TOOBIG' && phase === 'run')
    return new TroughError(
      'SQL_TOO_LARGE',
      'a value is larger than the 512 MiB that SQLite handles here',
      context,
      error,
    );
  if (code === 'SQLITE_FULL') return new TroughError('DISK_FULL', message, context, error);
  if (code.startsWith('SQLITE_BUSY')) return new TroughError('SEGMENT_LEASED', message, context, error);
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN'))
    return new TroughError('INTERNAL', message, context, error);
  if (
    code.startsWith('SQLITE_READONLY') ||
    code === 'SQLITE_AUTH' ||
    /^(not authorized|unsafe use of )/.test(message)
  ) {
    return new TroughError('SQL_REFUSED', message, context, error);
  }
  return new TroughError(phase === 'prepare' ? 'SQL_INVALID' : 'SQL_FAILED', message, context, error);
}

/** What V8 throws for a string or a buffer for which there is no room. */
function isOutOfMemory(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const code = 'code' in thrown ? thrown.code : undefined;
  return (
    code === 'ERR_STRING_TOO_LONG' ||
    code === 'ERR_MEMORY_ALLOCATION_FAILED' ||
    (thrown instanceof RangeError && /^(Invalid string length|Array buffer allocation failed)/.test(thrown.message))
  );
}
