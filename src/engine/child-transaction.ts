import { randomBytes } from 'node:crypto';
import { TroughError } from '../errors.ts';
import { parseScript, touchesTemporary } from '../model/sql-rules.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type SqlParams } from '../model/sql-types.ts';
import { bindings, sqlError, type Sqlite, type SqliteStatement } from './child-database.ts';
import { type WireOutcome, type WireRequest } from './messages.ts';
import { unpackParams } from './wire-values.ts';

type Result = Extract<WireOutcome, { ok: true }>['results'][number];

const STATEMENTS_KEPT = 64;
const LONGEST_KEPT_SQL = 2_048;

/** Runs the requests of clients inside one transaction of one database, each of them wholly or not at all. */
export class RequestRunner {
  readonly #db: Sqlite;
  /** Not to be guessed, so that no script can release or go back to it. */
  readonly #savepoint = `"trough ${randomBytes(16).toString('hex')}"`;
  readonly #kept = new Map<string, SqliteStatement>();
  readonly #begin: SqliteStatement;
  readonly #enter: SqliteStatement;
  readonly #leave: SqliteStatement;
  readonly #undo: SqliteStatement;
  readonly #counters: SqliteStatement;

  constructor(db: Sqlite) {
    this.#db = db;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#enter = db.prepare(`SAVEPOINT ${this.#savepoint}`);
    this.#leave = db.prepare(`RELEASE ${this.#savepoint}`);
    this.#undo = db.prepare(`ROLLBACK TO ${this.#savepoint}`);
    this.#counters = db.prepare<unknown[], never>('SELECT changes(), last_insert_rowid()').raw();
  }

  /**
   * Begins a transaction and runs the group; it stays open. When a request makes SQLite leave the transaction (ON CONFLICT ROLLBACK,
   * RAISE(ROLLBACK), a full disk), the group is run again without it, so that nothing of the others is lost.
   */
  apply(requests: readonly WireRequest[]): readonly WireOutcome[] {
    const thrownOut = new Map<number, WireOutcome>();
    for (;;) {
      this.#begin.run();
      const outcomes: WireOutcome[] = [];
      for (const [index, request] of requests.entries()) {
        const outcome = thrownOut.get(index) ?? this.#runOne(request);
        if (!this.#db.inTransaction) {
          thrownOut.set(index, outcome);
          break;
        }
        outcomes.push(outcome);
      }
      if (outcomes.length === requests.length) return outcomes;
    }
  }

  /** Runs a script in a transaction of its own; what fails is thrown, and nothing stays. */
  runAlone(sql: string): void {
    this.#begin.run();
    try {
      this.#runStatements(parseScript(sql), []);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #runOne(request: WireRequest): WireOutcome {
    try {
      const { statements, params } = parseRequest(request);
      if (request.kind === 'statements' && statements.every((statement) => this.#prepare(statement).readonly)) {
        throw new TroughError('SQL_REFUSED', 'a write that only reads changes nothing; send it as a query');
      }
      return { ok: true, results: this.#inSavepoint(() => this.#runStatements(statements, params)) };
    } catch (error) {
      return { ok: false, error: sqlError(error, 'run').toRecord() };
    }
  }

  #inSavepoint<T>(run: () => T): T {
    this.#enter.run();
    try {
      const result = run();
      if (!this.#db.inTransaction) throw new TroughError('SQL_FAILED', 'the transaction was rolled back');
      this.#leave.run();
      return result;
    } catch (error) {
      if (this.#db.inTransaction) {
        this.#undo.run();
        this.#leave.run();
      }
      throw error;
    }
  }

  #runStatements(statements: readonly SqlStatement[], params: readonly (SqlParams | undefined)[]): Result[] {
    const results = statements.map((statement, index) => this.#runStatement(statement, params[index]));
    if (statements.some(touchesTemporary)) this.#dropTemporary();
    return results;
  }

  #runStatement(parsed: SqlStatement, params: SqlParams | undefined): Result {
    const statement = this.#prepare(parsed);
    const bound = bindings(parsed, params);
    if (!statement.reader) {
      const { changes, lastInsertRowid } = statement.run(...bound);
      return { changes, lastInsertRowid: lastInsertRowid.toString() };
    }
    const rows = statement.iterate(...bound);
    while (rows.next().done !== true);
    const [changes = 0n, rowid = 0n] = this.#counters.get() as unknown as bigint[];
    return { changes: statement.readonly ? 0 : Number(changes), lastInsertRowid: rowid.toString() };
  }

  #prepare(parsed: SqlStatement): SqliteStatement {
    const { text, keyword } = parsed;
    const kept = this.#kept.get(text);
    if (kept !== undefined) return kept;
    const made = this.#prepareNew(text);
    // SQLite runs some PRAGMAs while it prepares them, so each has to be prepared again.
    if (keyword === 'PRAGMA' || text.length > LONGEST_KEPT_SQL) return made;
    this.#kept.set(text, made);
    if (this.#kept.size > STATEMENTS_KEPT) {
      const oldest = this.#kept.keys().next();
      if (oldest.done !== true) this.#kept.delete(oldest.value);
    }
    return made;
  }

  #prepareNew(text: string): SqliteStatement {
    try {
      const statement = this.#db.prepare<unknown[], never>(text);
      return statement.reader ? statement.raw() : statement;
    } catch (error) {
      throw sqlError(error, 'prepare');
    }
  }

  /** A temporary table lives as long as its request, as when every request had a connection of its own. */
  #dropTemporary(): void {
    const objects = this.#db
      .prepare<unknown[], { type: string; name: string }>(
        `SELECT type, name FROM sqlite_temp_schema WHERE type IN ('table', 'view', 'trigger') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type DESC`,
      )
      .all();
    for (const { type, name } of objects) this.#db.exec(`DROP ${type} IF EXISTS temp."${name.replaceAll('"', '""')}"`);
  }
}

interface ParsedRequest {
  readonly statements: readonly SqlStatement[];
  readonly params: readonly (SqlParams | undefined)[];
}

function parseRequest(request: WireRequest): ParsedRequest {
  if (request.kind === 'script') {
    if (request.sql.trim() === '') throw new TroughError('SQL_INVALID', 'No query provided.');
    return { statements: parseScript(request.sql), params: [] };
  }
  const statements: SqlStatement[] = [];
  for (const { sql } of request.statements) {
    const [statement, ...more] = parseScript(sql);
    if (statement === undefined || more.length > 0)
      throw new TroughError('SQL_INVALID', 'each statement must be exactly one SQL statement');
    statements.push(statement);
  }
  const params = request.statements.map(({ params: given }) => (given === undefined ? undefined : unpackParams(given)));
  return { statements, params };
}
