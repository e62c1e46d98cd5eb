import { SqlScanner } from './sql-scanner.ts';

/** SQLite's functions of time, and where among their arguments a time stands. */
export const TIME_FUNCTIONS: Readonly<Record<string, readonly number[]>> = {
  date: [0],
  time: [0],
  datetime: [0],
  julianday: [0],
  unixepoch: [0],
  strftime: [1],
  timediff: [0, 1],
};

const ANY = new RegExp(`\\b(?:${Object.keys(TIME_FUNCTIONS).join('|')})\\b`, 'i');

/**
 * The functions of time that a CREATE TABLE or CREATE INDEX calls elsewhere than in a DEFAULT: in a CHECK, a generated column or an index,
 * where they must not be asked for the present time. Lower case.
 */
export function timeCallsOutsideDefaults(sql: string): ReadonlySet<string> {
  const found = new Set<string>();
  if (!ANY.test(sql)) return found;
  const scanner = new SqlScanner(sql);
  let name = '';
  let isDefault = false;
  while (scanner.next()) {
    const opens = scanner.text === '(';
    if (opens && Object.hasOwn(TIME_FUNCTIONS, name)) found.add(name);
    if (opens && isDefault) skipParentheses(scanner);
    isDefault = scanner.keyword === 'DEFAULT';
    name = nameOf(scanner);
  }
  return found;
}

/** The name under which a statement's own calls go where it is not to be mistaken for one in the schema. */
export function ownTimeName(name: string): string {
  return `trough ${name}`;
}

/** The statement with `ownTimeName` in each call of one of these functions; the same text when there is none. */
export function withOwnTimeNames(sql: string, names: ReadonlySet<string>): string {
  const scanner = new SqlScanner(sql);
  let written = '';
  let copied = 0;
  let last = { name: '', start: 0, end: 0, isTable: false };
  let before = '';
  while (scanner.next()) {
    if (scanner.text === '(' && names.has(last.name) && !last.isTable) {
      written += `${sql.slice(copied, last.start)}"${ownTimeName(last.name)}"`;
      copied = last.end;
    }
    const isTable = before === 'INTO' || before === 'WITH';
    last = { name: nameOf(scanner), start: scanner.start, end: scanner.end, isTable };
    before = scanner.keyword;
  }
  return written + sql.slice(copied);
}

/** A text never names a function. */
function nameOf(scanner: SqlScanner): string {
  return scanner.kind === 'string' ? '' : scanner.name.toLowerCase();
}

/** From an opening parenthesis to the one that closes it. */
function skipParentheses(scanner: SqlScanner): void {
  let depth = 1;
  while (depth > 0 && scanner.next()) {
    if (scanner.text === '(') depth += 1;
    else if (scanner.text === ')') depth -= 1;
  }
}
