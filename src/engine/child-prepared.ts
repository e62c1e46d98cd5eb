import { type ColumnDefinition } from 'better-sqlite3';
import { TroughError } from '../errors.ts';
import { NOT_ONE_SELECT, parseQuery } from '../model/sql-rules.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type RowFormat } from '../model/sql-types.ts';
import { type Sqlite, type SqliteStatement } from './child-database.ts';
import { PackedQuery } from './child-packed.ts';
import { type Bigints, createRowWriter, type RowWriter } from './row-format.ts';

/** A prepared query with what its answers have in common. */
export class PreparedQuery {
  readonly statement: SqliteStatement;
  readonly parsed: SqlStatement;
  /** Its last answer was long enough for being packed: the next one may be at once. */
  isOftenLong = false;
  /** With room for so many rows, or fewer, all of them put together were too many the last time. */
  tooLongForRows = 0;
  /** It had its first chunk at once the last time. */
  isQuick = false;
  columns: readonly string[] = [];
  columnsJson = Buffer.from('[]');
  readonly #db: Sqlite;
  #described: readonly ColumnDefinition[] = [];
  readonly #writers = new Map<string, RowWriter>();
  readonly #packed = new Map<string, PackedQuery | undefined>();

  constructor(db: Sqlite, sql: string) {
    this.parsed = parseQuery(sql);
    const statement = db.prepare<unknown[], never>(this.parsed.text);
    if (!statement.reader || !statement.readonly) throw new TroughError('SQL_NOT_A_SELECT', NOT_ONE_SELECT);
    this.#db = db;
    this.statement = statement.raw();
    this.readColumns();
  }

  /** SQLite prepares again by itself when the schema has changed, and the columns with it. */
  readColumns(): void {
    const now = this.statement.columns();
    if (isSame(now, this.#described)) return;
    this.#described = now;
    this.columns = now.map(({ name }) => name);
    this.columnsJson = Buffer.from(JSON.stringify(this.columns));
    this.#writers.clear();
    this.#packed.clear();
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

  /** The way to have all rows as one text, where there is one. */
  packed(format: RowFormat, bigints: Bigints): PackedQuery | undefined {
    const key = format + bigints;
    if (this.#packed.has(key)) {
      const kept = this.#packed.get(key);
      if (kept?.isOutdated !== true) return kept;
    }
    const packed = PackedQuery.of(this.#db, this.parsed, this.statement, format, bigints);
    this.#packed.set(key, packed);
    return packed;
  }
}

function isSame(some: readonly ColumnDefinition[], others: readonly ColumnDefinition[]): boolean {
  if (some.length !== others.length) return false;
  return some.every(({ name, type, table }, index) => {
    const other = others[index];
    return name === other?.name && type === other.type && table === other.table;
  });
}
