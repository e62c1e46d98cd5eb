import { SqlScanner } from './sql-scanner.ts';

const NAMES = /\b(?:date|time|datetime|julianday|unixepoch|strftime|timediff)\b/i;
const EXACTLY = new RegExp(`^${NAMES.source}$`, 'i');

/**
 * True when a CREATE TABLE or CREATE INDEX calls one of SQLite's functions of time elsewhere than in a DEFAULT: in a CHECK, a generated
 * column or an index, where it must not ask for the present time.
 */
export function callsTimeOutsideDefaults(sql: string): boolean {
  if (!NAMES.test(sql)) return false;
  const scanner = new SqlScanner(sql);
  let name = '';
  let isDefault = false;
  while (scanner.next()) {
    const opens = scanner.text === '(';
    if (opens && EXACTLY.test(name)) return true;
    if (opens && isDefault) skipParentheses(scanner);
    isDefault = scanner.keyword === 'DEFAULT';
    name = scanner.name;
  }
  return false;
}

/** From an opening parenthesis to the one that closes it. */
function skipParentheses(scanner: SqlScanner): void {
  let depth = 1;
  while (depth > 0 && scanner.next()) {
    if (scanner.text === '(') depth += 1;
    else if (scanner.text === ')') depth -= 1;
  }
}
