import { TroughError } from '../errors.ts';
import { findInexact } from './sql-exactness.ts';
import { withoutParentheses } from './sql-parentheses.ts';
import { READABLE, UNREADABLE } from './sql-pragmas.ts';
import { SqlScanner } from './sql-scanner.ts';
import { splitScript, type SqlStatement } from './sql-script.ts';

/** Word for word as the original says it. */
export const NOT_ONE_SELECT = 'Exactly one SELECT query per request, please.';

/** PRAGMAs that a script may also set: kept in the file by the transaction, or without effect inside one. */
const SETTABLE = new Set(['user_version', 'foreign_keys', 'defer_foreign_keys']);

/** SQLite lets it read and set an address in memory when its arguments are bound: whoever may call it owns the process. */
const TOKENIZER_FUNCTION = 'fts3_tokenizer';

/** SQLite's own words for what cannot be done in the transaction that every script runs in. */
const REFUSED_IN_SCRIPT: Readonly<Record<string, string>> = {
  BEGIN: 'cannot start a transaction within a transaction',
  COMMIT: 'cannot commit - no transaction is active',
  END: 'cannot commit - no transaction is active',
  ROLLBACK: 'cannot commit - no transaction is active',
  VACUUM: 'cannot VACUUM from within a transaction',
  ATTACH: 'cannot ATTACH database within transaction',
  DETACH: 'cannot DETACH database within transaction',
};

/**
 * The single statement of a query, without parentheses around all of it. SQL_NOT_A_SELECT when it is not one, or none that only reads;
 * SQL_REFUSED for a `pragma_` table function outside the list and for `fts3_tokenizer`. PRAGMA must be stopped here: SQLite runs some of
 * them while it prepares them.
 */
export function parseQuery(sql: string): SqlStatement {
  refuseNul(sql);
  const [wrapped, ...more] = splitScript(sql);
  const statement = wrapped && { ...wrapped, text: withoutParentheses(wrapped.text) };
  if (statement === undefined || more.length > 0 || !mayRead(statement)) {
    throw new TroughError('SQL_NOT_A_SELECT', NOT_ONE_SELECT);
  }
  const forbidden = forbiddenFunction(statement.text);
  if (forbidden !== undefined) {
    throw new TroughError('SQL_REFUSED', notAuthorized(forbidden.name), { offset: statement.start + forbidden.start });
  }
  return statement;
}

/**
 * The statements of a script that is run inside a transaction. SQL_REFUSED, before anything ran, for a statement that would leave the
 * transaction, reach another file, change the connection, or not do the same when it is replayed; the context says which, what and where.
 */
export function parseScript(sql: string): readonly SqlStatement[] {
  refuseNul(sql);
  const statements = splitScript(sql);
  statements.forEach((statement, index) => {
    const refused = refusal(statement);
    if (refused === undefined) return;
    const { reason, start = 0, name = statement.keyword } = refused;
    throw new TroughError('SQL_REFUSED', reason, { statement: index + 1, offset: statement.start + start, name });
  });
  return statements;
}

/** True when a statement of the script may leave something in the connection's temporary schema. */
export function touchesTemporary(statement: SqlStatement): boolean {
  const scanner = new SqlScanner(statement.text);
  while (scanner.next()) {
    const name = scanner.name.toLowerCase();
    if (name === 'temp' || name === 'temporary') return true;
  }
  return false;
}

function refuseNul(sql: string): void {
  if (sql.includes('\0')) throw new TroughError('SQL_INVALID', 'the query contains a null character');
}

function mayRead(statement: SqlStatement): boolean {
  if (statement.keyword === 'PRAGMA') return isReadable(readPragma(statement.text));
  const scanner = new SqlScanner(statement.text);
  let keyword = scanner.nextKeyword();
  if (keyword === 'EXPLAIN') {
    keyword = scanner.nextKeyword();
    if (keyword === 'QUERY' && scanner.nextKeyword() === 'PLAN') keyword = scanner.nextKeyword();
  }
  return keyword === 'SELECT' || keyword === 'WITH' || keyword === 'VALUES' || scanner.text === '(';
}

interface Pragma {
  readonly name: string;
  readonly form: 'plain' | 'argument' | 'assignment';
  readonly value: string;
}

/** PRAGMA [schema.]name, `name(value)` or `name = value`. */
function readPragma(sql: string): Pragma {
  const scanner = new SqlScanner(sql);
  scanner.next();
  scanner.next();
  let name = scanner.name;
  let hasMore = scanner.next();
  if (hasMore && scanner.text === '.') {
    scanner.next();
    name = scanner.name;
    hasMore = scanner.next();
  }
  const form = !hasMore ? 'plain' : scanner.text === '(' ? 'argument' : 'assignment';
  scanner.next();
  return { name: name.toLowerCase(), form, value: (scanner.name || scanner.text).toLowerCase() };
}

function isReadable({ name, form }: Pragma): boolean {
  const allowed = Object.hasOwn(READABLE, name) ? READABLE[name] : undefined;
  return allowed !== undefined && (form === 'plain' || form === allowed);
}

interface Refusal {
  readonly reason: string;
  /** What it is about, and where in the statement. Default: the statement. */
  readonly name?: string;
  readonly start?: number;
}

function refusal({ keyword, text }: SqlStatement): Refusal | undefined {
  if (callsTokenizerFunction(text)) return { reason: notAuthorized(TOKENIZER_FUNCTION) };
  const reason = keyword === 'PRAGMA' ? pragmaRefusal(readPragma(text)) : keywordRefusal(keyword, text);
  return reason === undefined ? findInexact(text, keyword) : { reason };
}

function keywordRefusal(keyword: string, text: string): string | undefined {
  if (keyword === 'EXPLAIN') return hasKeyword(text, 'PRAGMA') ? 'PRAGMA cannot be explained here' : undefined;
  if (keyword === 'ROLLBACK' && hasKeyword(text, 'TO')) return undefined;
  return Object.hasOwn(REFUSED_IN_SCRIPT, keyword) ? REFUSED_IN_SCRIPT[keyword] : undefined;
}

function hasKeyword(sql: string, keyword: string): boolean {
  const scanner = new SqlScanner(sql);
  while (scanner.next()) if (scanner.keyword === keyword) return true;
  return false;
}

function pragmaRefusal(pragma: Pragma): string | undefined {
  if (isReadable(pragma) || SETTABLE.has(pragma.name)) return undefined;
  if (pragma.name === 'journal_mode' && pragma.form !== 'plain') {
    return `cannot change ${pragma.value === 'wal' ? 'into' : 'out of'} wal mode from within a transaction`;
  }
  return `PRAGMA ${pragma.name} is not allowed in a segment`;
}

/** `pragma_x` as a table-valued function is the PRAGMA by another name; a quoted identifier and a string can name a table too. */
function forbiddenFunction(sql: string): { readonly name: string; readonly start: number } | undefined {
  if (!/pragma_|fts3_tokenizer/i.test(sql)) return undefined;
  const scanner = new SqlScanner(sql);
  while (scanner.next()) {
    const name = scanner.name.toLowerCase();
    const isPragma = name.startsWith('pragma_') && UNREADABLE.has(name.slice('pragma_'.length));
    if (isPragma || isTokenizerFunction(scanner, name)) return { name, start: scanner.start };
  }
  return undefined;
}

/** A string never names a function. */
function isTokenizerFunction(scanner: SqlScanner, name: string): boolean {
  return name === TOKENIZER_FUNCTION && scanner.kind !== 'string';
}

function callsTokenizerFunction(sql: string): boolean {
  if (!/fts3_tokenizer/i.test(sql)) return false;
  const scanner = new SqlScanner(sql);
  while (scanner.next()) if (isTokenizerFunction(scanner, scanner.name.toLowerCase())) return true;
  return false;
}

function notAuthorized(name: string): string {
  return `not authorized to use function: ${name}`;
}
