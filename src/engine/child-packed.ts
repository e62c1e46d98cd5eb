import { isAscii, isUtf8 } from 'node:buffer';
import { type ColumnDefinition } from 'better-sqlite3';
import { scannedTable } from '../model/sql-plain-scan.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type RowFormat } from '../model/sql-types.ts';
import { type Sqlite, type SqliteStatement } from './child-database.ts';
import { type Bigints, escapeNonAscii, NOT_A_ROW } from './row-format.ts';

/** An answer of more rows, or of a longer text, is a stream's business. */
const MOST_ROWS = 2_000;
export const LONGEST_PACKED_BYTES = 1024 * 1024;
/** The answer of a plain scan is about as large as the file at most, and is made before its length is known. */
const LARGEST_FILE_BYTES = 16 * 1024 * 1024;
/** After so many answers from one state of a file that is no larger, the whole table is looked at once: to look at each row costs a third of an answer. */
const LOOK_AFTER = 16;
const LARGEST_LOOKED_AT_BYTES = 4 * 1024 * 1024;
/** Well below SQLite's limit of arguments for one function. */
const MOST_COLUMNS = 40;
/** Characters of all names of columns: they stand in each row. */
const LONGEST_NAMES = 1_000;

export interface PackedAnswer {
  readonly bytes: Buffer;
  readonly rows: number;
}

/**
 * The rows of a plain scan put together inside SQLite as one JSON text: for some hundred rows twice as fast as one by one.
 * SQLite's JSON is what `row-format.ts` would write only for integers, texts and NULL. So: columns of tables declared INTEGER or TEXT
 * alone, and one aggregate per column that shows whether something else is kept there (types are those of values, not of columns);
 * without these once the whole table has been seen to hold nothing else, for as long as nobody writes to the file.
 *
 * To be used while the query itself is open: so everything here is seen in one state of the file.
 */
export class PackedQuery {
  readonly #db: Sqlite;
  readonly #scan: Scan;
  readonly #pageCount: SqliteStatement;
  readonly #pageBytes: number;
  readonly #dataVersion: SqliteStatement;
  readonly #schemaVersion: SqliteStatement;
  /** What was found out about the table was true of this schema. */
  readonly #madeFor: unknown;
  #statement: SqliteStatement;
  /** For tables that were looked through: without checks. */
  readonly #ofSound = new Map<string, SqliteStatement>();
  #state: FileState = { dataVersion: undefined, sizeBytes: 0, answers: 0, holds: 'anything' };
  #isOpen = true;

  private constructor(db: Sqlite, scan: Scan) {
    this.#db = db;
    this.#scan = scan;
    this.#pageCount = this.#prepare('pragma page_count');
    this.#pageBytes = Number(this.#prepare('pragma page_size').get()?.[0]);
    this.#dataVersion = this.#prepare('pragma data_version');
    this.#schemaVersion = this.#prepare('pragma schema_version');
    this.#madeFor = this.#schemaVersion.get()?.[0];
    this.#statement = this.#prepare(packedSql(scan, { integers: SUMS, isLimited: true }));
  }

  /** Undefined when the query, or its format, is not one of these. `kept` is the prepared query. */
  static of(
    db: Sqlite,
    parsed: SqlStatement,
    kept: SqliteStatement,
    format: RowFormat,
    bigints: Bigints,
  ): PackedQuery | undefined {
    if (format === 'csv' || parsed.parameters.some((name) => name !== null)) return undefined;
    const columns = kept.columns();
    const kinds = columns.map(kindOf);
    if (format === 'ndjson' && columns.some(({ name }) => name === NOT_A_ROW)) return undefined;
    const table = scannedTable(parsed.text);
    if (table === undefined || columns.length > MOST_COLUMNS || kinds.includes('other')) return undefined;
    if (columns.some((column) => column.table?.toLowerCase() !== table.toLowerCase())) return undefined;
    if (growsWithRows(columns)) return undefined;
    try {
      if (hasGeneratedColumns(db, columns) || !keepsUtf8(db)) return undefined;
      return new PackedQuery(db, { sql: parsed.text, table: `main.${quoted(table)}`, columns, kinds, format, bigints });
    } catch {
      // What SQLite has against it, it says of the query itself.
      return undefined;
    }
  }

  /** The schema is another one now: what was a plain column may be a generated one, or the table a view. */
  get isOutdated(): boolean {
    return this.#schemaVersion.get()?.[0] !== this.#madeFor;
  }

  /** Undefined when the answer is too long, or holds what SQLite would write otherwise than we: it is not tried again then. */
  run(values: readonly unknown[]): PackedAnswer | undefined {
    if (!this.#isOpen) return undefined;
    const state = this.#fileState();
    if (state.sizeBytes > LARGEST_FILE_BYTES) return undefined;
    const answer = this.#answer(values, state.holds);
    if (answer === undefined) this.#isOpen = false;
    state.answers += 1;
    if (state.answers === LOOK_AFTER && state.sizeBytes <= LARGEST_LOOKED_AT_BYTES) state.holds = this.#look();
    return answer;
  }

  #fileState(): FileState {
    const dataVersion = this.#dataVersion.get()?.[0];
    if (dataVersion !== this.#state.dataVersion) {
      const sizeBytes = Number(this.#pageCount.get()?.[0]) * this.#pageBytes;
      this.#state = { dataVersion, sizeBytes, answers: 0, holds: 'anything' };
    }
    return this.#state;
  }

  /** At all rows of the table, for what the checks of an answer could find. */
  #look(): FileState['holds'] {
    try {
      if (this.#prepare(unsoundSql(this.#scan)).get() !== undefined) return 'anything';
      const count = `select count(*) from (select 1 from ${this.#scan.table} limit ${String(MOST_ROWS + 1)})`;
      return Number(this.#prepare(count).get()?.[0]) > MOST_ROWS ? 'sound rows' : 'few sound rows';
    } catch {
      // The checks of each answer will find what there is.
      return 'anything';
    }
  }

  #answer(values: readonly unknown[], holds: FileState['holds']): PackedAnswer | undefined {
    const [text, rows, ...checks] = (holds === 'anything' ? this.#row(values) : this.#soundRow(values, holds)) ?? [];
    if (!Buffer.isBuffer(text) || Number(rows) > MOST_ROWS || text.length > LONGEST_PACKED_BYTES) return undefined;
    if (checks.some((check) => check !== 1n)) return undefined;
    return { bytes: this.#finish(text), rows: Number(rows) };
  }

  #soundRow(values: readonly unknown[], holds: 'sound rows' | 'few sound rows'): readonly unknown[] | undefined {
    try {
      let statement = this.#ofSound.get(holds);
      if (statement === undefined) {
        statement = this.#prepare(packedSql(this.#scan, { isLimited: holds !== 'few sound rows' }));
        this.#ofSound.set(holds, statement);
      }
      return statement.get(...values);
    } catch {
      return undefined;
    }
  }

  #row(values: readonly unknown[]): readonly unknown[] | undefined {
    try {
      return this.#statement.get(...values);
    } catch (error) {
      // Any other fault comes again when the rows are read one by one.
      if (!(error instanceof Error) || error.message !== 'integer overflow') return undefined;
    }
    try {
      this.#statement = this.#prepare(packedSql(this.#scan, { integers: WIDE, isLimited: true }));
      return this.#statement.get(...values);
    } catch {
      return undefined;
    }
  }

  #prepare(sql: string): SqliteStatement {
    return this.#db.prepare<unknown[], never>(sql).raw();
  }

  /** What is no UTF-8 in the file is what JavaScript makes of it. */
  #finish(text: Buffer): Buffer {
    if (this.#scan.format !== 'legacy') return isUtf8(text) ? text : Buffer.from(text.toString('utf8'));
    return isAscii(text) ? text : Buffer.from(escapeNonAscii(text.toString('utf8')), 'latin1');
  }
}

/** What is known of the file as it is until somebody else writes to it. */
interface FileState {
  readonly dataVersion: unknown;
  readonly sizeBytes: number;
  answers: number;
  /** What the table holds: nothing that would have to be looked for in each row, and no more of them than fit one answer. */
  holds: 'anything' | 'sound rows' | 'few sound rows';
}

interface Scan {
  readonly sql: string;
  /** As it stands in SQL. */
  readonly table: string;
  readonly columns: readonly ColumnDefinition[];
  readonly kinds: readonly Kind[];
  readonly format: RowFormat;
  readonly bigints: Bigints;
}

/** 1 when all values of an INTEGER column are integers, texts or NULL. A sum becomes REAL by one value that is neither. */
const SUMS = (name: string): string => `typeof(sum(${name})) in ('integer', 'null')`;
/** The same for integers whose sum has more than 64 bits. A remainder is REAL as soon as one side is; a BLOB sorts behind everything else. */
const WIDE = (name: string): string => `typeof(sum(${name} % 2)) in ('integer', 'null') and ${noBlob(name)}`;
const EXACT = (name: string): string =>
  `coalesce(max(${name}) < 9007199254740992 and min(${name}) > -9007199254740992, 1)`;

function noBlob(name: string): string {
  return `coalesce(max(${name}) < x'', 1)`;
}

type Kind = 'integer' | 'text' | 'other';

/** The affinity of a declared type (SQLite's rules 1 and 2; the others are not wanted here). */
function kindOf({ table, column, type }: ColumnDefinition): Kind {
  if (table === null || column === null || type === null) return 'other';
  if (/int/i.test(type)) return 'integer';
  return /char|clob|text/i.test(type) ? 'text' : 'other';
}

/** The answer would be much larger than what is read: a column is wanted more than once, or names are longer than values. */
function growsWithRows(columns: readonly ColumnDefinition[]): boolean {
  const nameLength = columns.reduce((sum, { name }) => sum + name.length, 0);
  return new Set(columns.map(({ column }) => column)).size < columns.length || nameLength > LONGEST_NAMES;
}

/** A generated column may hold JSON that SQLite would put in as it is, without quotes. */
function hasGeneratedColumns(db: Sqlite, columns: readonly ColumnDefinition[]): boolean {
  const hidden = db.prepare<unknown[], never>('select 1 from pragma_table_xinfo(?) where hidden > 0');
  return hidden.all(columns[0]?.table).length > 0;
}

/** A text that is cast to bytes has the encoding of the file. */
function keepsUtf8(db: Sqlite): boolean {
  const encoding: SqliteStatement = db.prepare<unknown[], never>('pragma encoding').raw();
  return encoding.get()?.[0] === 'UTF-8';
}

interface PackedForm {
  /** How a column of integers is looked at. Absent: no value is. */
  readonly integers?: (name: string) => string;
  /** There may be more rows than are wanted. Without a limit SQLite reads the table with nothing in between. */
  readonly isLimited: boolean;
}

function packedSql({ sql, columns, kinds, format, bigints }: Scan, { integers, isLimited }: PackedForm): string {
  const names = columns.map((_, index) => `c${String(index)}`);
  const row = format === 'rows' ? `json_array(${names.join()})` : `json_object(${pairs(columns).join()})`;
  const text = format === 'ndjson' ? `group_concat(${row}, '\n') || '\n'` : `group_concat(${row}, ',\n')`;
  const wanted = [`cast(${text} as blob)`, 'count(*)'];
  if (integers !== undefined) {
    wanted.push(...names.map((name, index) => (kinds[index] === 'integer' ? integers(name) : noBlob(name))));
    if (bigints === 'string') wanted.push(...names.filter((_, index) => kinds[index] === 'integer').map(EXACT));
  }
  const inner = isLimited ? `select * from (${sql}\n) limit ${String(MOST_ROWS + 1)}` : `${sql}\n`;
  return `with q(${names.join()}) as (${inner}) select ${wanted.join()} from q`;
}

/** Finds a row with a value that SQLite's JSON would write otherwise than we. */
function unsoundSql({ table, columns, kinds, bigints }: Scan): string {
  const wrong = columns.flatMap(({ column }, index) => {
    const name = quoted(column ?? '');
    const type = `typeof(${name}) not in ('integer', 'text', 'null')`;
    if (kinds[index] !== 'integer' || bigints !== 'string') return [type];
    return [type, `(typeof(${name}) = 'integer' and not ${name} between -9007199254740991 and 9007199254740991)`];
  });
  return `select 1 from ${table} where ${wrong.join(' or ')} limit 1`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Of several columns with one name the place is the first's and the value the last's. */
function pairs(columns: readonly ColumnDefinition[]): string[] {
  const last = new Map<string, number>();
  columns.forEach(({ name }, index) => last.set(name, index));
  return Array.from(last, ([name, index]) => `'${name.replaceAll("'", "''")}',c${String(index)}`);
}
