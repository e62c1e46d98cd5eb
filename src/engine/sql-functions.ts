import { type SqlValue } from '../model/sql-types.ts';
import { dumpPythonJson, loadPythonJson, type PythonJson, pythonFloat } from './python-json.ts';
import { compilePythonRegexp } from './python-regexp.ts';

/** A function as SQL calls it. Integers come and go as bigint; what it throws becomes USER_FUNCTION_FAILED. */
export interface SqlFunction {
  readonly name: string;
  readonly parameters: number;
  readonly run: (...values: readonly SqlValue[]) => SqlValue;
}

/** Word for word as Python's sqlite3 module says it. */
export const USER_FUNCTION_FAILED = 'user-defined function raised exception';

/** The functions that the original gives to every connection, with Python's rules for values. */
export const SQL_FUNCTIONS: readonly SqlFunction[] = [
  { name: 'regexp', parameters: 2, run: (pattern = null, value = null) => regexp(pattern, value) },
  { name: 'seedcrawledstatus', parameters: 1, run: (status = null) => seedCrawledStatus(status) },
  {
    name: 'buildredirectarray',
    parameters: 4,
    run: (url = null, status = null, hopPath = null, list = null) => buildRedirectArray(url, status, hopPath, list),
  },
];

/** `re.search(pattern, value)` as 1 or 0; a NULL value is 0. */
function regexp(pattern: SqlValue, value: SqlValue): bigint {
  if (value === null) return 0n;
  if (typeof pattern !== 'string' || typeof value !== 'string') throw new TypeError('expected string');
  return compilePythonRegexp(pattern).test(value) ? 1n : 0n;
}

function seedCrawledStatus(value: SqlValue): string {
  if (value === null) return 'Not crawled (None)';
  const status = pythonInt(value);
  if (status >= 300n && status < 400n) return 'Redirected';
  if (status >= 400n) return `Crawled (HTTP error ${status.toString()})`;
  if (status > 0n) return 'Crawled';
  if (status === 0n || status === -5003n || status === -5004n) return 'Not crawled (queued)';
  if (status === -9998n) return 'Not crawled (blocked by robots)';
  return `Not crawled (${status.toString()})`;
}

/** Puts the seed into the list at its hop; an empty hop path means Python's index -1, the last element. */
function buildRedirectArray(url: SqlValue, status: SqlValue, hopPath: SqlValue, listText: SqlValue): string {
  const hop = pythonLength(hopPath);
  const list = listText === null || listText === '' ? [] : loadPythonJson(textOf(listText));
  if (!Array.isArray(list)) throw new TypeError('not a list');
  while (list.length < hop) list.push(null);
  const index = hop === 0 ? list.length - 1 : hop - 1;
  if (index < 0) throw new RangeError('list assignment index out of range');
  const entries = new Map<string, PythonJson>([
    ['seed', pythonValue(url)],
    ['status', seedCrawledStatus(status)],
  ]);
  list[index] = { entries };
  return dumpPythonJson(list);
}

const INTEGER = /^[+-]?\d+(?:_\d+)*$/;
/** What Python's `int` leaves out at the ends; JavaScript's `trim` takes more. */
const BLANK_ENDS =
  /^[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+|[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/g;

/** `int(x)`. */
function pythonInt(value: Exclude<SqlValue, null>): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(Math.trunc(value));
  const text = textOf(value).replace(BLANK_ENDS, '');
  if (!INTEGER.test(text)) throw new TypeError('invalid literal for int()');
  return BigInt(text.replaceAll('_', '').replace(/^\+/, ''));
}

/** `len(x)`: characters of a text, bytes of a BLOB. */
function pythonLength(value: SqlValue): number {
  if (typeof value === 'string') return Array.from(value).length;
  if (value instanceof Uint8Array) return value.length;
  throw new TypeError('object has no len()');
}

function pythonValue(value: SqlValue): PythonJson {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'bigint') return { number: value.toString() };
  if (typeof value === 'number') return { number: pythonFloat(value) };
  throw new TypeError('Object of type bytes is not JSON serializable');
}

function textOf(value: SqlValue): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return new TextDecoder('utf-8', { fatal: true }).decode(value);
  throw new TypeError('expected text');
}
