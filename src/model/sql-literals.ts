import { SqlScanner } from './sql-scanner.ts';
import { type SqlValue } from './sql-types.ts';

export interface LiftedQuery {
  /** The same query with a `?` for each value. */
  readonly template: string;
  readonly values: readonly SqlValue[];
}

/** Digits that fit a 64-bit integer whatever they are. */
const MOST_DIGITS = 15;
/** A longer text is hardly asked for again with other values, and takes long to read. */
const LONGEST_SQL = 2_048;

/**
 * Takes the values out of a query that carries them in its text, so that `… where id=17` and `… where id=18` share one prepared statement.
 * Only what is compared by an operator in the WHERE of a single SELECT is taken: there a parameter means exactly what the literal
 * meant. Elsewhere it need not: a column is named after its text, `ORDER BY 1` counts columns, an index on an expression wants its literal.
 * Undefined when there is nothing to take.
 */
export function liftLiterals(sql: string): LiftedQuery | undefined {
  if (sql.length > LONGEST_SQL || sql.includes('\0')) return undefined;
  const scanner = new SqlScanner(sql);
  if (scanner.nextKeyword() !== 'SELECT') return undefined;
  const values: SqlValue[] = [];
  let template = '';
  let copied = 0;
  let depth = 0;
  let isWhere = false;
  while (scanner.next()) {
    const { kind } = scanner;
    if (kind === 'parameter' || kind === 'illegal') return undefined;
    if (kind === 'operator') depth += depthChange(sql.charAt(scanner.start));
    else if (kind === 'word') {
      const part = partOf(scanner.keyword);
      if (part === 'another') return undefined;
      if (part !== undefined && depth === 0) isWhere = part === 'where';
    } else if (isWhere && (kind === 'number' || kind === 'string') && isCompared(sql, scanner)) {
      const value = valueOf(scanner);
      if (value === undefined) continue;
      values.push(value);
      template += `${sql.slice(copied, scanner.start)}?`;
      copied = scanner.end;
    }
  }
  return values.length === 0 ? undefined : { template: template + sql.slice(copied), values };
}

function depthChange(operator: string): number {
  return operator === '(' ? 1 : operator === ')' ? -1 : 0;
}

function partOf(keyword: string): 'where' | 'after' | 'another' | undefined {
  switch (keyword) {
    case 'WHERE':
      return 'where';
    case 'GROUP':
    case 'HAVING':
    case 'WINDOW':
    case 'ORDER':
    case 'LIMIT':
      return 'after';
    case 'SELECT':
    case 'VALUES':
    case 'WITH':
      return 'another';
    default:
      return undefined;
  }
}

/** It follows `=`, `<` or `>` (and not `->`, `>>`, `<<`), and is no name that somebody wrote as a string. */
function isCompared(sql: string, { start, end }: SqlScanner): boolean {
  let at = start - 1;
  while (sql.charAt(at) === ' ') at -= 1;
  const operator = sql.charAt(at);
  const before = sql.charAt(at - 1);
  if (operator === '>' ? before === '>' || before === '-' : operator === '<' ? before === '<' : operator !== '=') {
    return false;
  }
  const next = sql.charAt(end);
  return next === '' || next === ' ' || next === ')' || next === ';' || next === '\n';
}

function valueOf(scanner: SqlScanner): SqlValue | undefined {
  if (scanner.kind === 'string') return scanner.name;
  const { text } = scanner;
  return text.length <= MOST_DIGITS && /^\d+$/.test(text) ? BigInt(text) : undefined;
}
