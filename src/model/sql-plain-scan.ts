import { SqlScanner } from './sql-scanner.ts';

/**
 * The table that a query reads when it is one SELECT from one table, named as it stands in the query; undefined for every other query:
 * joins, compounds, subqueries, table-valued functions.
 */
export function scannedTable(sql: string): string | undefined {
  const scanner = new SqlScanner(sql);
  if (scanner.nextKeyword() !== 'SELECT' || !skipToFrom(scanner)) return undefined;
  const table = tableName(scanner);
  if (table === undefined || !endsWell(scanner)) return undefined;
  return table;
}

const CLAUSES = new Set(['WHERE', 'GROUP', 'HAVING', 'ORDER', 'LIMIT']);
const OTHER_QUERIES = new Set(['SELECT', 'VALUES', 'WITH']);

function skipToFrom(scanner: SqlScanner): boolean {
  let depth = 0;
  while (scanner.next()) {
    if (scanner.kind === 'operator') depth += scanner.text === '(' ? 1 : scanner.text === ')' ? -1 : 0;
    const { keyword } = scanner;
    if (OTHER_QUERIES.has(keyword)) return false;
    if (keyword === 'FROM' && depth === 0) return true;
  }
  return false;
}

/** Leaves the scanner on what follows the table and its alias. */
function tableName(scanner: SqlScanner): string | undefined {
  let hasMore = scanner.next();
  if (!isName(scanner)) return undefined;
  let name = scanner.name;
  hasMore = scanner.next();
  if (hasMore && scanner.text === '.') {
    scanner.next();
    name = scanner.name;
    hasMore = scanner.next();
  }
  if (scanner.keyword === 'AS') hasMore = scanner.next();
  if (hasMore && isName(scanner) && !CLAUSES.has(scanner.keyword)) scanner.next();
  return name;
}

function isName({ kind }: SqlScanner): boolean {
  return kind === 'word' || kind === 'quoted';
}

function endsWell(scanner: SqlScanner): boolean {
  if (scanner.start >= scanner.sql.length) return true;
  if (scanner.kind !== 'semicolon' && !CLAUSES.has(scanner.keyword)) return false;
  while (scanner.next()) if (OTHER_QUERIES.has(scanner.keyword)) return false;
  return true;
}
