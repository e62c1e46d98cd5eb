import { existsSync } from 'node:fs';
import { TroughError } from '../errors.ts';
import { NOT_ONE_SELECT, parseQuery } from '../model/sql-rules.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type RowFormat } from '../model/sql-types.ts';
import { openDatabase, sqlError, type Sqlite, type SqliteStatement } from './child-database.ts';
import { type Bigints, createRowWriter, type RowWriter } from './row-format.ts';

const STATEMENTS_KEPT = 32;
const LONGEST_KEPT_SQL = 4_096;
/** How long a reader waits for a lock: only while the writer recovers or truncates its WAL. */
const BUSY_MS = 1_000;

/** A prepared query with what its answers have in common. */
export class PreparedQuery {
  readonly statement: SqliteStatement;
  readonly parsed: SqlStatement;
  columns!: readonly string[];
  columnsJson!: Buffer;
  readonly #writers = new Map<string, RowWriter>();

  constructor(statement: SqliteStatement, parsed: SqlStatement) {
    this.statement = statement;
    this.parsed = parsed;
    this.readColumns();
  }

  /** SQLite prepares again by itself when the schema has changed, and the names with it. */
  readColumns(): void {
    const columns = this.statement.columns().map(({ name }) => name);
    const json = Buffer.from(JSON.stringify(columns));
    if (this.#writers.size > 0 && json.equals(this.columnsJson)) return;
    this.columns = columns;
    this.columnsJson = json;
    this.#writers.clear();
  }

  writer(format: RowFormat, bigints: Bigints): RowWriter {
    const key = format + bigints;
    let writer = this.#writers.get(key);
    if (writer === undefined) {
      writer = createRowWriter(format, this.columns, bigints);
      this.#writers.set(key, writer);
    }
    return writer;
  }
}

/** One open file. It is closed when it is no longer kept and nobody runs on it. */
export class Connection {
  readonly version: string;
  readonly live: boolean;
  readonly #db: Sqlite;
  readonly #prepared = new Map<string, PreparedQuery>();
  #users = 0;
  #isKept = true;

  constructor(db: Sqlite, version: string, live: boolean) {
    this.#db = db;
    this.version = version;
    this.live = live;
  }

  prepare(sql: string): PreparedQuery {
    const kept = this.#prepared.get(sql);
    if (kept?.statement.busy === false) {
      this.#prepared.delete(sql);
      this.#prepared.set(sql, kept);
      return kept;
    }
    const made = this.#prepare(sql);
    if (sql.length <= LONGEST_KEPT_SQL) this.#keep(sql, made);
    return made;
  }

  use(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    this.#closeWhenFree();
  }

  /** Out of the cache: those who run on it finish. */
  drop(): void {
    this.#isKept = false;
    this.#closeWhenFree();
  }

  #closeWhenFree(): void {
    if (!this.#isKept && this.#users === 0) this.#db.close();
  }

  #prepare(sql: string): PreparedQuery {
    const parsed = parseQuery(sql);
    const statement = this.#db.prepare<unknown[], never>(sql);
    if (!statement.reader || !statement.readonly) throw new TroughError('SQL_NOT_A_SELECT', NOT_ONE_SELECT);
    return new PreparedQuery(statement.raw(), parsed);
  }

  #keep(sql: string, prepared: PreparedQuery): void {
    this.#prepared.set(sql, prepared);
    if (this.#prepared.size <= STATEMENTS_KEPT) return;
    const oldest = this.#prepared.keys().next();
    if (oldest.done !== true) this.#prepared.delete(oldest.value);
  }
}

/**
 * The files that a child holds open, the least recently used closed first. SQLite walks a list of all open files of the process at
 * every open, so a small cache is the faster one.
 */
export class Connections {
  readonly #most: number;
  readonly #byFile = new Map<string, Connection>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#byFile.size;
  }

  /** The file's connection; another version, or a change between live and copy, opens it anew. */
  get(file: string, version: string, live: boolean): Connection {
    const kept = this.#byFile.get(file);
    if (kept !== undefined) {
      this.#byFile.delete(file);
      if (kept.version === version && kept.live === live) {
        this.#byFile.set(file, kept);
        return kept;
      }
      kept.drop();
    }
    const opened = new Connection(openSegment(file), version, live);
    this.#byFile.set(file, opened);
    this.#evict();
    return opened;
  }

  /**
   * Takes a connection out, for the one who runs on it alone. All statements of a connection see the snapshot of its oldest one, so a
   * long answer from a live file must not share its connection: later queries would miss later writes.
   */
  detach(file: string, connection: Connection): void {
    if (this.#byFile.get(file) !== connection) return;
    this.#byFile.delete(file);
    connection.drop();
  }

  /** After an error that may come from the file being another one than the one opened. */
  forget(file: string): void {
    this.#byFile.get(file)?.drop();
    this.#byFile.delete(file);
  }

  #evict(): void {
    if (this.#byFile.size <= this.#most) return;
    const oldest = this.#byFile.entries().next();
    if (oldest.done === true) return;
    const [file, connection] = oldest.value;
    this.#byFile.delete(file);
    connection.drop();
  }
}

function openSegment(file: string): Sqlite {
  try {
    return openDatabase(file, { readonly: true, busyMs: BUSY_MS });
  } catch (error) {
    if (!existsSync(file)) throw new TroughError('SEGMENT_UNKNOWN', 'there is no such file', { file }, error);
    throw sqlError(error, 'run');
  }
}
