import { isKnownPragma } from './sql-pragmas.ts';
import { SqlScanner } from './sql-scanner.ts';

/** The table by which a connection's counters are set back; it is there beside the segment, and no script may touch it. */
export const COUNTER_TABLE = 'trough counters';

/** Something that is not the same when a write is run again, and where it stands in the SQL. */
export interface Inexact {
  readonly name: string;
  readonly start: number;
  readonly reason: string;
}

/** What the `pragma_` table functions tell that is in the schema, or kept with it: the same wherever the same writes have run. */
const EXACT_PRAGMAS = new Set(
  'table_info table_xinfo index_list index_info index_xinfo foreign_key_list user_version encoding'.split(' '),
);
const SUSPECT = /pragma_|dbstat|total_changes|sqlite_stat|trough counters/i;
const STATISTICS = /^sqlite_stat\d$/;
const MAY_NAME_STATISTICS = new Set(['SELECT', 'VALUES', 'ANALYZE', 'DROP', 'EXPLAIN', 'PRAGMA']);

const NAMES_FOLLOW = new Set(['FROM', 'JOIN', 'IN', 'INTO', 'UPDATE', 'TABLE', 'VIEW']);
const NO_NAMES_FOLLOW = new Set(
  'SELECT WHERE VALUES SET GROUP ORDER HAVING LIMIT ON USING RETURNING WINDOW UNION EXCEPT INTERSECT BEGIN'.split(' '),
);

/**
 * The first thing in a statement that tells of the state of the connection or of the file, so that the statement would not do the same when
 * it is replayed. `keyword`: the statement's first. Undefined when there is none.
 */
export function findInexact(sql: string, keyword: string): Inexact | undefined {
  if (!SUSPECT.test(sql)) return undefined;
  const scanner = new SqlScanner(sql);
  let last: { readonly name: string; readonly start: number } | undefined;
  let isTable = false;
  while (scanner.next()) {
    if (scanner.text === '(' && last?.name === 'total_changes')
      return { ...last, reason: `not authorized to use function: ${last.name}` };
    if (NAMES_FOLLOW.has(scanner.keyword)) isTable = true;
    else if (NO_NAMES_FOLLOW.has(scanner.keyword)) isTable = false;
    last = { name: scanner.name.toLowerCase(), start: scanner.start };
    // SQLite takes a text for a name where only a name can stand.
    if (scanner.kind === 'string' && !isTable) continue;
    const reason = reasonAgainst(last.name, keyword);
    if (reason !== undefined) return { ...last, reason };
  }
  return undefined;
}

/** The first of these tables, in lower case, that the SQL may name. */
export function firstNamed(sql: string, tables: ReadonlySet<string>): string | undefined {
  const scanner = new SqlScanner(sql);
  while (scanner.next()) {
    const name = scanner.name.toLowerCase();
    if (tables.has(name)) return name;
  }
  return undefined;
}

function reasonAgainst(name: string, keyword: string): string | undefined {
  if (name === 'dbstat' || isInexactPragma(name)) return `not authorized to use function: ${name}`;
  if (name === COUNTER_TABLE) return `table ${name} may not be used`;
  if (STATISTICS.test(name) && !MAY_NAME_STATISTICS.has(keyword)) return `table ${name} may only be filled by ANALYZE`;
  return undefined;
}

function isInexactPragma(name: string): boolean {
  if (!name.startsWith('pragma_')) return false;
  const pragma = name.slice('pragma_'.length);
  return isKnownPragma(pragma) && !EXACT_PRAGMAS.has(pragma);
}
