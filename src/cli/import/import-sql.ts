import { createHash } from 'node:crypto';
import { type Column } from './column-types.ts';
import { type BoundValue } from './import-row.ts';

/** SQLITE_MAX_VARIABLE_NUMBER. */
const MOST_PARAMETERS = 32_766;

export interface Statement {
  readonly sql: string;
  readonly params: readonly BoundValue[];
}

/** How many rows one INSERT takes, with one parameter left for its guard. */
export function mostRowsPerInsert(columns: readonly Column[]): number {
  return Math.floor((MOST_PARAMETERS - 1) / columns.length);
}

/**
 * One INSERT for all rows, which inserts nothing when `mark`, an aggregate over the table, is not `expected`: so a batch that was sent
 * twice, because nobody knew what became of the first, is applied once.
 */
export function guardedInsert(
  table: string,
  columns: readonly Column[],
  rows: readonly (readonly BoundValue[])[],
  { mark, expected }: { readonly mark: string; readonly expected: number | bigint },
): Statement {
  const names = columns.map(({ name }) => quoteName(name)).join(', ');
  const one = `(${columns.map(() => '?').join(', ')})`;
  const values = `values ${rows.map(() => one).join(', ')}`;
  const sql = `insert into ${quoteName(table)} (${names}) select * from (${values}) where (select ${mark} from ${quoteName(table)}) = ?`;
  return { sql, params: [...rows.flat(), expected] };
}

export function createTableSql(table: string, columns: readonly Column[]): string {
  const lines = columns.map(({ name, type }) => `  ${quoteName(name)} ${type}`);
  return `create table if not exists ${quoteName(table)} (\n${lines.join(',\n')}\n);\n`;
}

/** The same for the same columns, another for others. */
export function schemaIdOf(table: string, sql: string): string {
  return `${table}-${createHash('sha256').update(sql).digest('hex').slice(0, 12)}`;
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
