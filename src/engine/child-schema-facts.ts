import { timeCallsOutsideDefaults } from '../model/sql-time-calls.ts';
import { findInexact, firstNamed } from '../model/sql-exactness.ts';
import { SqlScanner } from '../model/sql-scanner.ts';
import { type Sqlite } from './child-database.ts';

/** A table whose rows have numbers that SQLite chooses, and no AUTOINCREMENT: at the largest it would choose at random. */
export interface NumberedTable {
  readonly name: string;
  /** As it is looked for in SQL. */
  readonly lower: string;
  /** A name of its row numbers that no column has taken. */
  readonly rowid: string;
}

/** What there is to know of a schema before a write runs on it. Valid until the next CREATE, DROP or ALTER, or their undoing. */
export interface SchemaFacts {
  readonly tables: readonly NumberedTable[];
  /** The SQL of triggers and views, in lower case: what they name may be touched by any write. */
  readonly indirectSql: string;
  /** Its name in lower case, and the tables in which it keeps its rows. */
  readonly virtual: ReadonlyMap<string, readonly NumberedTable[]>;
  /** Tables whose checks, generated columns or indexes call functions of time, and which: SQLite allows them no present time. */
  readonly timeless: readonly { readonly lower: string; readonly functions: ReadonlySet<string> }[];
  readonly hasStatistics: boolean;
  /** Tables and views, in lower case, whose use comes upon something that no script may use (`../model/sql-exactness.ts`). */
  readonly inexact: ReadonlySet<string>;
}

interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
}

interface TableRow {
  readonly name: string;
  readonly type: string;
  readonly wr: bigint;
}

const ROWIDS = ['rowid', '_rowid_', 'oid'];

export function readSchemaFacts(db: Sqlite): SchemaFacts {
  const schema = db.prepare<unknown[], SchemaRow>('SELECT type, name, tbl_name, sql FROM main.sqlite_schema').all();
  const counted = new Set(schema.filter(({ sql }) => sql !== null && hasWord(sql, 'AUTOINCREMENT')).map(nameOf));
  const listed = db.prepare<unknown[], TableRow>("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'");
  const rows = listed.all();
  const tables = rows
    .filter(({ name, type, wr }) => wr === 0n && (type === 'table' || type === 'shadow') && !counted.has(name))
    .filter(({ name }) => !name.startsWith('sqlite_'))
    .flatMap(({ name }) => numbered(db, name));
  const virtual = rows.filter(({ type }) => type === 'virtual').map(({ name }) => name.toLowerCase());
  return {
    tables,
    indirectSql: [...sqlOf(schema, 'trigger'), ...sqlOf(schema, 'view')].join('\n').toLowerCase(),
    virtual: new Map(virtual.map((name) => [name, tables.filter(({ lower }) => lower.startsWith(`${name}_`))])),
    timeless: schema.flatMap(({ type, tbl_name, sql }) => {
      const functions = timeCallsOutsideDefaults(type === 'table' || type === 'index' ? (sql ?? '') : '');
      return functions.size === 0 ? [] : [{ lower: tbl_name.toLowerCase(), functions }];
    }),
    hasStatistics: schema.some(({ name }) => name === 'sqlite_stat1'),
    inexact: inexactOf(schema),
  };
}

/** Scripts cannot make such views and triggers, but a file may have come with them. A trigger stands for its table. */
function inexactOf(schema: readonly SchemaRow[]): ReadonlySet<string> {
  const reach = schema
    .filter(({ type }) => type === 'view' || type === 'trigger')
    .map(({ tbl_name, sql }) => ({ name: tbl_name.toLowerCase(), sql: sql ?? '' }));
  const found = new Set(reach.filter(({ sql }) => findInexact(sql, 'CREATE') !== undefined).map(({ name }) => name));
  for (let before = 0; before < found.size;) {
    before = found.size;
    for (const { name, sql } of reach) if (firstNamed(sql, found) !== undefined) found.add(name);
  }
  return found;
}

function numbered(db: Sqlite, name: string): NumberedTable[] {
  const columns = db.prepare<unknown[], string>('SELECT lower(name) FROM pragma_table_xinfo(?)').pluck().all(name);
  const rowid = ROWIDS.find((alias) => !columns.includes(alias));
  // Where columns have taken all three names nobody can give a row its number, and no table grows so far by itself.
  return rowid === undefined ? [] : [{ name, lower: name.toLowerCase(), rowid }];
}

function nameOf({ name }: SchemaRow): string {
  return name;
}

function sqlOf(schema: readonly SchemaRow[], wanted: string): string[] {
  return schema.flatMap(({ type, sql }) => (type === wanted && sql !== null ? [sql] : []));
}

function hasWord(sql: string, word: string): boolean {
  if (!sql.toUpperCase().includes(word)) return false;
  const scanner = new SqlScanner(sql);
  while (scanner.next()) if (scanner.keyword === word) return true;
  return false;
}
