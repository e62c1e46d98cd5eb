import { randomBytes } from 'node:crypto';
import { TroughError } from '../errors.ts';
import { parseScript, touchesTemporary } from '../model/sql-rules.ts';
import { type SqlStatement } from '../model/sql-script.ts';
import { type SqlParams } from '../model/sql-types.ts';
import { ConnectionState } from './child-connection-state.ts';
import { bindings, sqlError, type Sqlite, type SqliteStatement } from './child-database.ts';
import { type WireOutcome, type WireRequest, type WireResult, type WireStamp, type WireWrite } from './messages.ts';
import { type Ready, Statements } from './child-statements.ts';
import { Moment } from './child-moment.ts';
import { unpackParams } from './wire-values.ts';

/** Runs the requests of clients inside one transaction of one database, each of them wholly or not at all, and each as it would run at any other time. */
export class RequestRunner {
  readonly #db: Sqlite;
  /** Not to be guessed, so that no script can release or go back to it. */
  readonly #savepoint = `"trough ${randomBytes(16).toString('hex')}"`;
  readonly #statements: Statements;
  readonly #moment: Moment;
  readonly #state: ConnectionState;
  readonly #begin: SqliteStatement;
  readonly #enter: SqliteStatement;
  readonly #leave: SqliteStatement;
  readonly #undo: SqliteStatement;
  readonly #counters: SqliteStatement;
  /** Since the last commit. */
  #isSchemaChanged = false;

  constructor(db: Sqlite) {
    this.#db = db;
    this.#moment = new Moment(db);
    this.#statements = new Statements(db, this.#moment);
    this.#state = new ConnectionState(db);
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
  apply(writes: readonly WireWrite[]): readonly WireOutcome[] {
    const thrownOut = new Map<number, WireOutcome>();
    for (;;) {
      this.begin();
      const outcomes: WireOutcome[] = [];
      for (const [index, write] of writes.entries()) {
        const outcome = thrownOut.get(index) ?? this.run(write);
        if (!this.#db.inTransaction) {
          thrownOut.set(index, outcome);
          break;
        }
        outcomes.push(outcome);
      }
      if (outcomes.length === writes.length) return outcomes;
    }
  }

  begin(): void {
    this.#state.prepare();
    this.#begin.run();
  }

  commit(): void {
    this.#db.exec('COMMIT');
    this.#isSchemaChanged = false;
    this.#state.committed();
  }

  rollback(): void {
    this.#db.exec('ROLLBACK');
    this.#undone();
  }

  /**
   * Runs a script in a transaction of its own; what fails is thrown, and nothing stays. When it did not use the moment it does the same at
   * any other.
   */
  runAlone(sql: string, stamp: WireStamp): { readonly usedMoment: boolean } {
    this.begin();
    try {
      this.#enterMoment(stamp);
      this.#runStatements(parseScript(sql), []);
      this.commit();
      return { usedMoment: this.#moment.wasUsed };
    } catch (error) {
      if (this.#db.inTransaction) this.rollback();
      throw error;
    }
  }

  /** One write in the transaction that is open, in a savepoint of its own. When it fails the transaction may be gone: SQLite left it then. */
  run(write: WireWrite): WireOutcome {
    try {
      this.#enterMoment(write);
      const { statements, params } = this.#parse(write.request);
      if (
        write.request.kind === 'statements' &&
        statements.every((each) => this.#statements.prepare(each).statement.readonly)
      ) {
        throw new TroughError('SQL_REFUSED', 'a write that only reads changes nothing; send it as a query');
      }
      return { ok: true, results: this.#inSavepoint(() => this.#runStatements(statements, params)) };
    } catch (error) {
      return { ok: false, error: sqlError(error, 'run').toRecord() };
    }
  }

  #enterMoment(stamp: WireStamp): void {
    this.#moment.enter(stamp);
    this.#state.enter(this.#statements);
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
      this.#undone();
      throw error;
    }
  }

  #undone(): void {
    if (this.#isSchemaChanged) this.#statements.forgetSchema();
  }

  #runStatements(statements: readonly SqlStatement[], params: readonly (SqlParams | undefined)[]): WireResult[] {
    const results = statements.map((statement, index) => this.#runStatement(statement, params[index]));
    if (statements.some(touchesTemporary)) this.#state.dropTemporary();
    return results;
  }

  #runStatement(parsed: SqlStatement, params: SqlParams | undefined): WireResult {
    const ready = this.#statements.prepare(parsed);
    const bound = bindings(parsed, params);
    this.#moment.forbidPresent(ready.timeless);
    if (!changesSchema(parsed)) {
      const result = this.#step(ready, bound);
      if (ready.inserts.length > 0) this.#state.refuseRandomRowids(ready, this.#statements);
      return result;
    }
    this.#isSchemaChanged = true;
    this.#state.doubtStatistics();
    try {
      return this.#step(ready, bound);
    } finally {
      this.#statements.forgetSchema();
    }
  }

  #step({ statement }: Ready, bound: readonly unknown[]): WireResult {
    if (!statement.reader) {
      const { changes, lastInsertRowid } = statement.run(...bound);
      return { changes, lastInsertRowid: lastInsertRowid.toString() };
    }
    const rows = statement.iterate(...bound);
    while (rows.next().done !== true);
    const [changes = 0n, rowid = 0n] = this.#counters.get() as unknown as bigint[];
    return { changes: statement.readonly ? 0 : Number(changes), lastInsertRowid: rowid.toString() };
  }

  #parse(request: WireRequest): ParsedRequest {
    if (request.kind === 'script') {
      if (request.sql.trim() === '') throw new TroughError('SQL_INVALID', 'No query provided.');
      return { statements: parseScript(request.sql), params: [] };
    }
    return {
      statements: request.statements.map(({ sql }) => this.#statements.parseOne(sql)),
      params: request.statements.map(({ params }) => (params === undefined ? undefined : unpackParams(params))),
    };
  }
}

/** ANALYZE makes a table when it is the first. */
const SCHEMA_CHANGES = new Set(['CREATE', 'DROP', 'ALTER', 'ANALYZE']);

function changesSchema({ keyword }: SqlStatement): boolean {
  return SCHEMA_CHANGES.has(keyword);
}

interface ParsedRequest {
  readonly statements: readonly SqlStatement[];
  readonly params: readonly (SqlParams | undefined)[];
}
