import { TroughError } from '../errors.ts';
import { COUNTER_TABLE } from '../model/sql-exactness.ts';
import { type Sqlite, type SqliteStatement } from './child-database.ts';
import { type NumberedTable } from './child-schema-facts.ts';
import { type Ready, type Statements } from './child-statements.ts';

const LARGEST_ROWID = '9223372036854775807';
/** Tables in one query: below SQLite's limits for one expression. */
const TABLES_AT_ONCE = 100;

interface Counters {
  readonly rowid: SqliteStatement;
  readonly changes: SqliteStatement;
}

/**
 * What a connection carries from one write to the next, and what no write may therefore come upon: SQLite's counters, temporary tables,
 * statistics that are no longer those in the file, a random number that SQLite draws by itself.
 */
export class ConnectionState {
  readonly #db: Sqlite;
  readonly #checks = new WeakMap<readonly NumberedTable[], readonly SqliteStatement[]>();
  #counters: Counters | undefined;
  #areStatisticsInDoubt = false;

  constructor(db: Sqlite) {
    this.#db = db;
  }

  /** Before a transaction. */
  prepare(): void {
    this.#counters ??= this.#makeCounters();
  }

  /** At the start of a write: `last_insert_rowid()` and `changes()` are 0, as on a new connection. */
  enter(statements: Statements): void {
    // The planner keeps the statistics of an ANALYZE in memory even when what it wrote was undone.
    if (this.#areStatisticsInDoubt && statements.facts.hasStatistics) this.#db.exec('ANALYZE main.sqlite_schema');
    this.#counters?.rowid.run();
    this.#counters?.changes.run();
  }

  doubtStatistics(): void {
    this.#areStatisticsInDoubt = true;
  }

  committed(): void {
    this.#areStatisticsInDoubt = false;
  }

  /** A temporary table lives as long as its request, as when every request had a connection of its own. */
  dropTemporary(): void {
    const objects = this.#db
      .prepare<unknown[], { type: string; name: string }>(
        `SELECT type, name FROM sqlite_temp_schema WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
           AND name <> ? ORDER BY type DESC`,
      )
      .all(COUNTER_TABLE);
    for (const { type, name } of objects) this.#db.exec(`DROP ${type} IF EXISTS temp.${quoted(name)}`);
  }

  /**
   * SQL_REFUSED when a table has come to the largest row number and the statement may have taken one of SQLite's choice: once a table is
   * there, SQLite draws the numbers of new rows at random, and nothing can tell it from which seed.
   */
  refuseRandomRowids({ parsed, inserts }: Ready, statements: Statements): void {
    if (this.#check(inserts).every((check) => check.get() === undefined)) return;
    for (const table of inserts) {
      const isFull = this.#db.prepare(`SELECT 1 WHERE ${hasLargest(table)}`).get() !== undefined;
      if (!isFull || !statements.choosesRowid(parsed.text, table)) continue;
      const message = `table ${table.name} has a row ${LARGEST_ROWID}: SQLite would choose the rowid of the next one at random`;
      throw new TroughError('SQL_REFUSED', message, { table: table.name });
    }
  }

  #check(tables: readonly NumberedTable[]): readonly SqliteStatement[] {
    const kept = this.#checks.get(tables);
    if (kept !== undefined) return kept;
    const made: SqliteStatement[] = [];
    for (let first = 0; first < tables.length; first += TABLES_AT_ONCE) {
      const any = tables
        .slice(first, first + TABLES_AT_ONCE)
        .map(hasLargest)
        .join(' OR ');
      made.push(this.#db.prepare<unknown[], never>(`SELECT 1 WHERE ${any}`).raw());
    }
    this.#checks.set(tables, made);
    return made;
  }

  #makeCounters(): Counters {
    // SQLite takes room for 20 pages of the temporary database at once: with small ones a resting connection has 70 KB less.
    this.#db.exec(`PRAGMA temp.page_size = 512; CREATE TEMP TABLE ${quoted(COUNTER_TABLE)} (id INTEGER PRIMARY KEY)`);
    return {
      rowid: this.#db.prepare(`REPLACE INTO temp.${quoted(COUNTER_TABLE)} VALUES (0)`),
      changes: this.#db.prepare(`DELETE FROM temp.${quoted(COUNTER_TABLE)} WHERE 0`),
    };
  }
}

function hasLargest({ name, rowid }: NumberedTable): string {
  return `EXISTS (SELECT 1 FROM main.${quoted(name)} WHERE ${rowid} = ${LARGEST_ROWID})`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
