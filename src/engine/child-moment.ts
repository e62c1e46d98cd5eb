import { TroughError } from '../errors.ts';
import { ownTimeName, TIME_FUNCTIONS } from '../model/sql-time-calls.ts';
import { type SqlValue } from '../model/sql-types.ts';
import { BuiltinFunctions } from './child-builtins.ts';
import { SeededBytes } from './child-chance.ts';
import { type Sqlite } from './child-database.ts';
import { type WireStamp } from './messages.ts';

/** SQLite's limit for one value (SQLITE_MAX_LENGTH). */
const LARGEST_VALUE_BYTES = 1_000_000_000n;
const LARGEST_INTEGER = 2n ** 63n - 1n;
const NO_NAMES: ReadonlySet<string> = new Set();

let builtins: BuiltinFunctions | undefined;

/**
 * Everything that SQL can know of the clock and of chance, on one connection: the functions stand in place of SQLite's own, wherever SQL
 * calls them (SQLite takes `CURRENT_TIMESTAMP` for a call of a function of that name), and say what the stamp of the write says.
 */
export class Moment {
  readonly #db: Sqlite;
  readonly #builtins: BuiltinFunctions;
  #hasOwnNames = false;
  #timeMs = 0;
  #bytes = new SeededBytes('');
  #timeless: ReadonlySet<string> = NO_NAMES;
  #wasUsed = false;

  constructor(db: Sqlite) {
    this.#db = db;
    this.#builtins = builtins ??= new BuiltinFunctions();
    // To SQLite its own are deterministic as well, so that an index may be made of them, and sees to the exceptions at run time.
    const constant = { deterministic: true, varargs: true, safeIntegers: true };
    for (const name of Object.keys(TIME_FUNCTIONS)) {
      db.function(name, constant, (...values: SqlValue[]) => this.#checkedTimeOf(name, values));
    }
    const varying = { deterministic: false, safeIntegers: true };
    db.function('current_timestamp', varying, () => `${this.#iso(0, 10)} ${this.#iso(11, 19)}`);
    db.function('current_date', varying, () => this.#iso(0, 10));
    db.function('current_time', varying, () => this.#iso(11, 19));
    db.function('random', varying, () => this.#random());
    db.function('randomblob', varying, (size: SqlValue) => this.#randomBlob(size));
    db.function('total_changes', varying, refuseTotalChanges);
  }

  /** Whether SQL asked for the present or for something random since `enter`. */
  get wasUsed(): boolean {
    return this.#wasUsed;
  }

  /** From now on it is the moment of this write. */
  enter({ timeMs, seed }: WireStamp): void {
    this.#timeMs = timeMs;
    this.#bytes = new SeededBytes(seed);
    this.#timeless = NO_NAMES;
    this.#wasUsed = false;
  }

  /** Functions that the next statement may come to call where SQLite allows no present time: in an index, a CHECK, a generated column. */
  forbidPresent(names: ReadonlySet<string> = NO_NAMES): void {
    this.#timeless = names;
  }

  /** The functions of time also have the names by which a statement calls them itself (`ownTimeName`): those may always ask for the present. */
  addOwnNames(): void {
    if (this.#hasOwnNames) return;
    this.#hasOwnNames = true;
    for (const name of Object.keys(TIME_FUNCTIONS)) {
      const options = { deterministic: true, varargs: true, safeIntegers: true };
      this.#db.function(ownTimeName(name), options, (...values: SqlValue[]) => this.#timeOf(name, values));
    }
  }

  #iso(from: number, to: number): string {
    this.#wasUsed = true;
    return new Date(this.#timeMs).toISOString().slice(from, to);
  }

  #timeOf(name: string, values: readonly SqlValue[]): SqlValue {
    return this.#builtins.call(name, this.#withoutNow(name, values));
  }

  #checkedTimeOf(name: string, values: readonly SqlValue[]): SqlValue {
    const fixed = this.#withoutNow(name, values);
    if (this.#timeless.has(name) && (fixed !== values || values.some(asksForZone))) {
      const where = 'where an index, a CHECK constraint or a generated column calls it';
      throw new TroughError('SQL_REFUSED', `non-deterministic use of ${name}() ${where}`);
    }
    return this.#builtins.call(name, fixed);
  }

  /** The arguments with the time of the write in place of the present; the same list when they do not ask for it. */
  #withoutNow(name: string, values: readonly SqlValue[]): readonly SqlValue[] {
    const places = TIME_FUNCTIONS[name] ?? [];
    const [first = 0] = places;
    // `date()` is `date('now')`; without its format `strftime()` is NULL, and `timediff()` always has both.
    if (values.length === first && name !== 'timediff') return [...values, this.#iso(0, 24)];
    const words = places.map((place) => wordOf(values[place] ?? null));
    if (!words.some(meansNow)) return values;
    const now = this.#iso(0, 24);
    return values.flatMap((value, index) => {
      const word = words[places.indexOf(index)] ?? '';
      if (!meansNow(word)) return [value];
      return word === 'now' || name === 'timediff' ? [now] : [now, 'subsec'];
    });
  }

  #take(count: number): Buffer {
    this.#wasUsed = true;
    return this.#bytes.take(count);
  }

  /** Never the smallest integer, of which SQLite has no absolute value. */
  #random(): bigint {
    const drawn = this.#take(8).readBigInt64LE(0);
    return drawn < 0n ? -(drawn & LARGEST_INTEGER) : drawn;
  }

  #randomBlob(size: SqlValue): Buffer {
    const wanted = this.#builtins.toInteger(size);
    if (wanted > LARGEST_VALUE_BYTES) throw new TroughError('SQL_TOO_LARGE', 'string or blob too big');
    return this.#take(wanted < 1n ? 1 : Number(wanted));
  }
}

/** A text as SQLite's date functions read it: up to a NUL, whatever the case. */
function wordOf(value: SqlValue): string {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) return '';
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  return text.length > 'subsecond'.length && !text.includes('\0') ? '' : (text.split('\0')[0] ?? '').toLowerCase();
}

function meansNow(word: string): boolean {
  return word === 'now' || word === 'subsec' || word === 'subsecond';
}

function asksForZone(value: SqlValue): boolean {
  const word = wordOf(value);
  return word === 'localtime' || word === 'utc';
}

/** It counts from when the connection was opened, and nothing can set it back. */
function refuseTotalChanges(): never {
  throw new TroughError('SQL_REFUSED', 'not authorized to use function: total_changes');
}
