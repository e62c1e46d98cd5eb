import { SqlScanner } from './sql-scanner.ts';

const QUERIES = new Set(['SELECT', 'VALUES', 'WITH']);

/**
 * A query without the parentheses around all of it. SQLite knows none there, but other databases and the programs that write their SQL do.
 * What is no such query is given back as it is: SQLite says what is wrong with it.
 */
export function withoutParentheses(sql: string): string {
  const scanner = new SqlScanner(sql);
  /** Where each of the first parentheses ends, and each of the last ones starts. */
  const opened: number[] = [];
  while (scanner.next() && scanner.text === '(') opened.push(scanner.end);
  if (opened.length === 0 || !QUERIES.has(scanner.keyword)) return sql;
  let closed: number[] = [];
  let depth = opened.length;
  let lowest = depth;
  do {
    const { text } = scanner;
    if (text === ')') {
      closed.push(scanner.start);
      continue;
    }
    depth -= closed.length;
    closed = [];
    lowest = Math.min(lowest, depth);
    if (text === '(') depth += 1;
  } while (scanner.next());
  const pairs = Math.min(lowest, closed.length);
  if (pairs <= 0 || depth !== closed.length) return sql;
  return sql.slice(opened[pairs - 1], closed.at(-pairs));
}
