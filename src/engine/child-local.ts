import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { TroughError } from '../errors.ts';
import { type SqlStatement, splitScript } from '../model/sql-script.ts';
import { type SqlParams, type SqlValue } from '../model/sql-types.ts';
import { bindings, sqlError, type Sqlite, type SqliteStatement } from './child-database.ts';
import { closeWriter, openForWriting } from './child-writer.ts';
import { type WireLocalStatement, type WireStatement } from './messages.ts';
import { packValue, unpackParams, unpackValue, type WireValue } from './wire-values.ts';

interface Prepared {
  readonly parsed: SqlStatement;
  readonly statement: SqliteStatement;
}

interface OpenLocal {
  readonly db: Sqlite;
  readonly prepared: Map<string, Prepared>;
}

/** Trough's own databases in a child, by handle. Their SQL is ours, so no rule holds it back. */
export class LocalDatabases {
  readonly #open = new Map<number, OpenLocal>();
  #lastHandle = 0;

  open(file: string, migrations: readonly string[]): number {
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) closeSync(openSync(file, 'a'));
    const db = openForWriting(file);
    try {
      migrate(db, migrations, file);
    } catch (error) {
      db.close();
      throw sqlError(error, 'run');
    }
    const handle = (this.#lastHandle += 1);
    this.#open.set(handle, { db, prepared: new Map() });
    return handle;
  }

  run(handle: number, statements: readonly WireLocalStatement[]): void {
    const local = this.#get(handle);
    local.db.exec('BEGIN IMMEDIATE');
    try {
      for (const { rows, ...statement } of statements) {
        if (rows === undefined) all(local, statement);
        else runEach(local, statement.sql, rows);
      }
      local.db.exec('COMMIT');
    } catch (error) {
      if (local.db.inTransaction) local.db.exec('ROLLBACK');
      throw sqlError(error, 'run');
    }
  }

  all(handle: number, statement: WireStatement): readonly (readonly WireValue[])[] {
    try {
      return all(this.#get(handle), statement).map((row) => row.map((value) => packValue(exact(value))));
    } catch (error) {
      throw sqlError(error, 'run');
    }
  }

  close(handle: number): void {
    const { db } = this.#get(handle);
    this.#open.delete(handle);
    closeWriter(db);
  }

  closeAll(): void {
    for (const handle of [...this.#open.keys()]) this.close(handle);
  }

  #get(handle: number): OpenLocal {
    const local = this.#open.get(handle);
    if (local === undefined) throw new TroughError('INTERNAL', 'the local database is closed');
    return local;
  }
}

/** `user_version` counts the migrations that have run; each one and its count are one transaction. */
function migrate(db: Sqlite, migrations: readonly string[], file: string): void {
  const done = Number(db.prepare<unknown[], bigint>('PRAGMA user_version').pluck().get() ?? 0n);
  if (done > migrations.length) {
    throw new TroughError('DATA_DIRECTORY_UNUSABLE', `${file} was made by a newer version of trough`, { file });
  }
  for (let index = done; index < migrations.length; index += 1) {
    db.exec(`BEGIN IMMEDIATE; ${migrations[index] ?? ''}\n; PRAGMA user_version = ${String(index + 1)}; COMMIT`);
  }
}

type Cell = Parameters<typeof packValue>[0];

function all(local: OpenLocal, { sql, params }: WireStatement): Cell[][] {
  const { parsed, statement } = prepare(local, sql);
  const bound = bindings(parsed, params && integral(unpackParams(params)));
  if (statement.reader) return statement.all(...bound);
  statement.run(...bound);
  return [];
}

function runEach(local: OpenLocal, sql: string, rows: readonly (readonly WireValue[])[]): void {
  const { parsed, statement } = prepare(local, sql);
  for (const row of rows) statement.run(...bindings(parsed, integral(row.map(unpackValue))));
}

function prepare({ db, prepared }: OpenLocal, sql: string): Prepared {
  const kept = prepared.get(sql);
  if (kept !== undefined) return kept;
  const [parsed] = splitScript(sql);
  if (parsed === undefined) throw new TroughError('SQL_INVALID', 'no statement');
  const statement = db.prepare<unknown[], never>(sql);
  const made = { parsed, statement: (statement.reader ? statement.raw() : statement) as SqliteStatement };
  // The statements are those of our own code: a fixed, small number, but for lists of values of varying length.
  if (prepared.size > 500) prepared.clear();
  prepared.set(sql, made);
  return made;
}

/** Our own code has whole numbers where it means integers. */
function integral(params: SqlParams): SqlParams {
  const whole = (value: SqlValue): SqlValue => (Number.isSafeInteger(value) ? BigInt(value as number) : value);
  if (Array.isArray(params)) return params.map(whole);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, whole(value)]));
}

/** Integers that a number holds exactly are numbers. */
function exact(value: Cell): Cell {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
