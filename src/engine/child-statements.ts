import { TroughError } from '../errors.ts';
import { firstNamed } from '../model/sql-exactness.ts';
import { parseScript } from '../model/sql-rules.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { timeCallsOutsideDefaults, withOwnTimeNames } from '../model/sql-time-calls.ts';
import { sqlError, type Sqlite, type SqliteStatement } from './child-database.ts';
import { type Moment } from './child-moment.ts';
import { type NumberedTable, readSchemaFacts, type SchemaFacts } from './child-schema-facts.ts';

/** A statement that is ready to run. */
export interface Ready {
  readonly parsed: SqlStatement;
  readonly statement: SqliteStatement;
  /** See `Moment.forbidPresent`. */
  readonly timeless: ReadonlySet<string> | undefined;
  /** Tables into which it may insert. */
  readonly inserts: readonly NumberedTable[];
}

interface Opcode {
  readonly opcode: string;
  readonly p1: bigint;
  readonly p2: bigint;
}

const KEPT = 64;
const LONGEST_KEPT_SQL = 2_048;
/** They may call a function of time for each row of a table, where SQLite allows no present time. */
const BUILDS = /^(?:create\s+(?:unique\s+)?index|alter)\b/i;

/** The statements of one connection, parsed and prepared, and what was found out about each. */
export class Statements {
  readonly #db: Sqlite;
  readonly #moment: Moment;
  readonly #parsed = new Map<string, SqlStatement>();
  readonly #ready = new Map<string, Ready>();
  /** One list for all statements that insert into the same tables. */
  readonly #lists = new Map<string, readonly NumberedTable[]>();
  #facts: SchemaFacts | undefined;

  constructor(db: Sqlite, moment: Moment) {
    this.#db = db;
    this.#moment = moment;
  }

  get facts(): SchemaFacts {
    return (this.#facts ??= readSchemaFacts(this.#db));
  }

  /** After the schema was changed, or a change of it undone. */
  forgetSchema(): void {
    this.#facts = undefined;
    this.#ready.clear();
    this.#lists.clear();
  }

  /** SQL that must be one statement. */
  parseOne(sql: string): SqlStatement {
    const kept = this.#parsed.get(sql);
    if (kept !== undefined) return kept;
    const [statement, ...more] = parseScript(sql);
    if (statement === undefined || more.length > 0)
      throw new TroughError('SQL_INVALID', 'each statement must be exactly one SQL statement');
    keep(this.#parsed, sql, statement);
    return statement;
  }

  prepare(parsed: SqlStatement): Ready {
    const { text, keyword } = parsed;
    const kept = this.#ready.get(text);
    if (kept !== undefined) return kept;
    this.#refuseInexact(parsed);
    const timeless = this.#timeless(parsed);
    const statement = timeless === undefined ? this.#prepareNew(text) : this.#prepareOwnCalls(text, timeless);
    const ready = { parsed, statement, timeless, inserts: this.#inserts(parsed, statement) };
    // SQLite runs some PRAGMAs while it prepares them, so each has to be prepared again.
    if (keyword !== 'PRAGMA') keep(this.#ready, text, ready);
    return ready;
  }

  /** Whether it may take a new row's number from SQLite in that table. */
  choosesRowid(text: string, table: NumberedTable): boolean {
    const root = this.#db.prepare<unknown[], bigint>('SELECT rootpage FROM main.sqlite_schema WHERE name = ?').pluck();
    const page = root.get(table.name);
    const isOfVirtual = [...this.facts.virtual.values()].some((own) => own.includes(table));
    const cursors = new Set<bigint>();
    for (const { opcode, p1, p2 } of this.#program(text)) {
      // What a virtual table does to its own tables is in no program.
      if (opcode === 'VUpdate' && isOfVirtual) return true;
      if (opcode === 'OpenWrite' && p2 === page) cursors.add(p1);
      if (opcode === 'NewRowid' && cursors.has(p1)) return true;
    }
    return false;
  }

  #prepareNew(text: string): SqliteStatement {
    try {
      const statement = this.#db.prepare<unknown[], never>(text);
      return statement.reader ? statement.raw() : statement;
    } catch (error) {
      throw sqlError(error, 'prepare');
    }
  }

  #refuseInexact({ text, keyword }: SqlStatement): void {
    if (keyword === 'DROP' || this.facts.inexact.size === 0) return;
    const name = firstNamed(text, this.facts.inexact);
    if (name === undefined) return;
    const message = `'${name}' tells of the state of the file, which may be another when the write is run again`;
    throw new TroughError('SQL_REFUSED', message, { name });
  }

  /** The statement's own calls must not be mistaken for those in the schema. Where SQLite will not have that, they are. */
  #prepareOwnCalls(text: string, timeless: ReadonlySet<string>): SqliteStatement {
    const rewritten = BUILDS.test(text) ? text : withOwnTimeNames(text, timeless);
    if (rewritten === text) return this.#prepareNew(text);
    this.#moment.addOwnNames();
    try {
      return this.#prepareNew(rewritten);
    } catch {
      return this.#prepareNew(text);
    }
  }

  #timeless({ text, keyword }: SqlStatement): ReadonlySet<string> | undefined {
    if (BUILDS.test(text)) return timeCallsOutsideDefaults(text);
    if (keyword === 'CREATE' || keyword === 'DROP' || this.facts.timeless.length === 0) return undefined;
    const isNamed = this.#namedIn(text);
    const touched = this.facts.timeless.filter(({ lower }) => isNamed(lower));
    return touched.length === 0 ? undefined : new Set(touched.flatMap(({ functions }) => [...functions]));
  }

  /** More than it does insert into rather than fewer. */
  #inserts({ text }: SqlStatement, { readonly }: SqliteStatement): readonly NumberedTable[] {
    if (readonly) return [];
    const { tables, virtual } = this.facts;
    const isNamed = this.#namedIn(text);
    const named = tables.filter((table) => isNamed(table.lower));
    const kept = Array.from(virtual, ([name, own]) => (isNamed(name) ? own : [])).flat();
    return this.#listed([...new Set([...named, ...kept])]);
  }

  #listed(tables: readonly NumberedTable[]): readonly NumberedTable[] {
    const key = tables.map(({ name }) => name).join('\0');
    const kept = this.#lists.get(key);
    if (kept !== undefined) return kept;
    this.#lists.set(key, tables);
    return tables;
  }

  /** Whether something of that name, in lower case, may be touched by the statement. */
  #namedIn(text: string): (name: string) => boolean {
    const { indirectSql } = this.facts;
    const lower = text.toLowerCase();
    return (name) => NEEDS_QUOTES.test(name) || lower.includes(name) || indirectSql.includes(name);
  }

  #program(text: string): readonly Opcode[] {
    return this.#db.prepare<unknown[], Opcode>(`EXPLAIN ${text}`).all();
  }
}

/** Names that may be written otherwise in SQL than they are. */
const NEEDS_QUOTES = /["'`\]]/;

function keep<T>(kept: Map<string, T>, sql: string, made: T): void {
  if (sql.length > LONGEST_KEPT_SQL) return;
  kept.set(sql, made);
  if (kept.size <= KEPT) return;
  const oldest = kept.keys().next();
  if (oldest.done !== true) kept.delete(oldest.value);
}
