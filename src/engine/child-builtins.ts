import { type SqlValue } from '../model/sql-types.ts';
import { openDatabase, type Sqlite } from './child-database.ts';

type OneValue = ReturnType<typeof prepare>;

/**
 * SQLite's own functions, called from functions of ours: on a database of its own, because the one that calls is busy.
 * The process's zone is UTC from then on, so that what `localtime` and `utc` say is the same on every machine.
 */
export class BuiltinFunctions {
  readonly #db: Sqlite;
  readonly #prepared = new Map<string, OneValue>();

  constructor() {
    process.env['TZ'] = 'UTC';
    this.#db = openDatabase(':memory:', { readonly: false, busyMs: 0 });
  }

  call(name: string, values: readonly SqlValue[]): SqlValue {
    return this.#get(`${name}(${values.map(() => '?').join()})`).get(...values) ?? null;
  }

  /** As SQLite makes an integer of any value. */
  toInteger(value: SqlValue): bigint {
    return typeof value === 'bigint' ? value : (this.#get('ifnull(cast(? as integer), 0)').get(value) as bigint);
  }

  #get(expression: string): OneValue {
    const kept = this.#prepared.get(expression);
    if (kept !== undefined) return kept;
    const made = prepare(this.#db, expression);
    this.#prepared.set(expression, made);
    return made;
  }
}

function prepare(db: Sqlite, expression: string) {
  return db.prepare<SqlValue[], SqlValue>(`SELECT ${expression}`).pluck();
}
