import type Database from 'better-sqlite3';

interface SchemaRow {
  readonly type: string;
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
}

/**
 * Everything that SQL can find in a database, as text: equal texts, equal content. What is left out is where things lie in the file. The
 * tables in which virtual tables keep their rows are in it too.
 */
export function canonicalDump(db: Database.Database): string {
  const schema = db
    .prepare<unknown[], SchemaRow>('SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY type, name')
    .all();
  const lines = schema.map(({ type, name, tbl_name, sql }) => `${type} ${name} on ${tbl_name}: ${String(sql)}`);
  for (const { type, name } of schema) if (type === 'table') lines.push(`-- ${name}`, ...rowsOf(db, name));
  lines.push(`user_version ${String(db.pragma('user_version', { simple: true }))}`);
  return lines.join('\n');
}

function rowsOf(db: Database.Database, table: string): string[] {
  const columns = db
    .prepare<unknown[], { name: string; wr: unknown }>(
      `SELECT x.name, l.wr FROM pragma_table_list(?) l, pragma_table_xinfo(l.name) x WHERE l.schema = 'main' AND x.hidden <> 1`,
    )
    .all(table);
  const rowid = Number(columns[0]?.wr) === 0 ? ['rowid'] : [];
  const cells = [...rowid, ...columns.map(({ name }) => quoted(name))].map((cell) => `quote(${cell})`);
  const statement = db.prepare<unknown[], string[]>(`SELECT ${cells.join()} FROM main.${quoted(table)}`).raw();
  return statement
    .all()
    .map((row) => row.join(', '))
    .sort();
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
