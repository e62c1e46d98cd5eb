import Database from 'better-sqlite3';
import fc from 'fast-check';
import { join } from 'node:path';
import { describe, expect, it, test, vi } from 'vitest';
import { Connections } from '../../../src/engine/child-connections.ts';
import { openDatabase } from '../../../src/engine/child-database.ts';
import { PackedQuery } from '../../../src/engine/child-packed.ts';
import { RunningQuery } from '../../../src/engine/child-query.ts';
import { type Bigints, createRowWriter } from '../../../src/engine/row-format.ts';
import { parseQuery } from '../../../src/model/sql-rules.ts';
import { type RowFormat, type SqlValue } from '../../../src/model/sql-types.ts';
import { tempDir } from '../../support/temp-dir.ts';

const FORMATS: readonly (readonly [RowFormat, Bigints])[] = [
  ['legacy', 'digits'],
  ['ndjson', 'string'],
  ['rows', 'digits'],
  ['rows', 'string'],
];

const TEXT = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '\0', 'a\0b', '\u007f', '\u001f"\\/', '\u2028', '😀', '-1.5', '{"a":1}'),
);
const PLAIN = fc.record({
  id: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: null }),
  small: fc.option(fc.integer({ min: -99, max: 99 }).map(BigInt), { nil: null }),
  text: fc.option(TEXT, { nil: null }),
});
/** What a column takes although it is declared otherwise. */
const ODD = fc.oneof(fc.double(), fc.uint8Array({ maxLength: 9 }), TEXT);

test('rows that SQLite has put together are, byte for byte, the rows that are written one by one', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'some.sqlite');
  const tables = fc.array(
    fc.record({
      row: PLAIN,
      odd: fc.oneof({ weight: 60, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: ODD }),
    }),
    {
      minLength: 30,
      maxLength: 40,
    },
  );
  let packed = 0;
  fc.assert(
    fc.property(tables, fc.constantFrom(...FORMATS), (rows, [format, bigints]) => {
      using db = disposable(new Database(file));
      fill(db.value, rows);
      const { text, isPacked } = answer(file, 'select * from t', format, bigints);
      expect(text).toBe(expected(db.value, format, bigints));
      if (isPacked) packed += 1;
    }),
    { numRuns: 300, seed: 4 },
  );
  expect(packed).toBeGreaterThan(20);
});

describe('a plain scan', () => {
  it('keeps its order, its limit and the last of several columns with one name', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'some.sqlite');
    using db = disposable(new Database(file));
    numbers(db.value, 500);
    const sql = 'select id, small id from t where small >= 0 order by small desc, id limit 100;  -- the end';
    const { text, isPacked } = answer(file, sql, 'ndjson', 'digits');
    const rows = db.value.prepare('select small from t where small >= 0 order by small desc, id limit 100').all();
    expect(text).toBe(rows.map((row) => `{"id":${String((row as { small: number }).small)}}\n`).join(''));
    expect(isPacked).toBe(true);
  });

  it('is not put together for somebody who wants only a few of its rows, nor again and again for one who wants a part', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'some.sqlite');
    using db = disposable(new Database(file));
    numbers(db.value, 500);
    const run = vi.spyOn(PackedQuery.prototype, 'run');
    const connections = new Connections(1);
    const ask = (maxRows: number | undefined): { rows: number; truncated: boolean; runs: number } => {
      run.mockClear();
      const message = { file, version: '1', live: false, sql: 'select id from t', format: 'rows', maxRows } as const;
      const query = new RunningQuery({ ...message, bigints: 'digits' }, connections);
      const { isLast } = query.next();
      expect(isLast).toBe(true);
      return { rows: query.rows, truncated: query.truncated, runs: run.mock.calls.length };
    };
    expect(ask(10)).toEqual({ rows: 10, truncated: true, runs: 0 });
    expect(ask(100)).toEqual({ rows: 100, truncated: true, runs: 1 });
    expect(ask(100)).toEqual({ rows: 100, truncated: true, runs: 0 });
    expect(ask(50)).toEqual({ rows: 50, truncated: true, runs: 0 });
    expect(ask(undefined)).toEqual({ rows: 500, truncated: false, runs: 1 });
    expect(ask(5)).toEqual({ rows: 5, truncated: true, runs: 0 });
    expect(ask(500)).toEqual({ rows: 500, truncated: false, runs: 1 });
    run.mockRestore();
    connections.forget(file);
  });

  it('of a table that is made anew with a generated column of the same name is read row by row', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'some.sqlite');
    using db = disposable(new Database(file));
    db.value.pragma('journal_mode = wal');
    const rows = `with recursive c(x) as (select 1 union all select x + 1 from c where x < 50)`;
    db.value.exec(`create table t (id integer, text text); insert into t ${rows} select x, '[' || x || ']' from c`);
    const connections = new Connections(1);
    const message = { file, version: 'live-1', live: true, sql: 'select id, text from t' } as const;
    const ask = (): { text: string; isPacked: boolean } => {
      const query = new RunningQuery({ ...message, format: 'rows', bigints: 'digits' }, connections);
      return { text: query.next().bytes.toString('utf8').slice(0, 9), isPacked: query.isPacked };
    };
    expect(ask()).toEqual({ text: '[1,"[1]"]', isPacked: true });
    expect(ask()).toEqual({ text: '[1,"[1]"]', isPacked: true });
    db.value.exec(`begin; drop table t;
      create table t (id integer, text text generated always as (json_array(id)) virtual);
      insert into t (id) ${rows} select x from c; commit`);
    expect(ask()).toEqual({ text: '[1,"[1]"]', isPacked: false });
    connections.forget(file);
  });

  it('of more rows than fit one text is read row by row', async () => {
    await using dir = await tempDir();
    const file = join(dir.path, 'some.sqlite');
    using db = disposable(new Database(file));
    numbers(db.value, 5_000);
    const { text, isPacked } = answer(file, 'select id from t', 'ndjson', 'digits');
    expect(text.split('\n')).toHaveLength(5_001);
    expect(isPacked).toBe(false);
  });
});

describe('a table that was looked through once, after many answers', () => {
  /** Of a file with 100 rows: the answers to a query, as often as it is asked, on one connection. */
  async function scene() {
    const dir = await tempDir();
    const file = join(dir.path, 'some.sqlite');
    const db = new Database(file);
    db.pragma('journal_mode = wal');
    db.exec(`create table t (id integer, small integer, text text);
      with recursive c(x) as (select 1 union all select x + 1 from c where x < 100) insert into t select x, x % 7, 'é' || x from c`);
    const connections = new Connections(1);
    const ask = (below: number): { text: string; isPacked: boolean } => {
      const sql = `select * from t where id < ${String(below)}`;
      const message = { file, version: 'live-1', live: true, sql, format: 'rows', bigints: 'digits' } as const;
      const query = new RunningQuery(message, connections);
      return { text: query.next().bytes.toString('utf8'), isPacked: query.isPacked };
    };
    const rows = (below: number): string => {
      const all = db.prepare('select * from t where id < ?').raw().safeIntegers().all(below) as SqlValue[][];
      const writer = createRowWriter('rows', ['id', 'small', 'text'], 'digits');
      return all.map((row, index) => writer.row(row, index === 0)).join('');
    };
    const dispose = async (): Promise<void> => {
      connections.forget(file);
      db.close();
      await dir[Symbol.asyncDispose]();
    };
    return { db, ask, rows, [Symbol.asyncDispose]: dispose };
  }

  it('is answered as before, without a look at each row', async () => {
    await using at = await scene();
    const prepare = vi.spyOn(Database.prototype, 'prepare');
    for (let turn = 0; turn < 40; turn += 1) expect(at.ask(90)).toEqual({ text: at.rows(90), isPacked: true });
    const texts = prepare.mock.calls.map(([sql]) => sql);
    prepare.mockRestore();
    expect(texts.filter((sql) => sql.includes('json_array') && !sql.includes('typeof'))).toHaveLength(1);
  });

  it('is looked at row by row again once somebody has written to it', async () => {
    await using at = await scene();
    for (let turn = 0; turn < 20; turn += 1) at.ask(90);
    at.db.exec("update t set text = jsonb('[1]') where id = 50; update t set id = 1.5 where id = 7");
    const answer = at.ask(90);
    expect(answer).toEqual({ text: at.rows(90), isPacked: false });
    expect(answer.text).toContain('base64');
  });

  it('that has one other value somewhere is looked at row by row for ever', async () => {
    await using at = await scene();
    at.db.exec("update t set text = jsonb('[1]') where id = 95");
    for (let turn = 0; turn < 20; turn += 1) expect(at.ask(90)).toEqual({ text: at.rows(90), isPacked: true });
    const answer = at.ask(99);
    expect(answer).toEqual({ text: at.rows(99), isPacked: false });
    expect(answer.text).toContain('base64');
  });
});

test.each(['UTF-8', 'UTF-16le', 'UTF-16be'])('a file in %s is read as any other', async (encoding) => {
  await using dir = await tempDir();
  const file = join(dir.path, 'some.sqlite');
  using db = disposable(new Database(file));
  db.value.exec(`pragma encoding = '${encoding}'; create table t (id integer primary key, text text)`);
  const insert = db.value.prepare('insert into t values (?, ?)');
  for (let id = 1; id <= 30; id += 1) insert.run(id, `é "${String(id)}"`);
  for (const [format, bigints] of FORMATS)
    expect(answer(file, 'select * from t', format, bigints).text).toBe(expected(db.value, format, bigints));
});

describe('not packed are', () => {
  const makes = `
    create table t (id integer, text text, amount real, json text generated always as (json_array(id)) virtual);
    create table u (id integer, text text);
    create view v as select id, text from u union all select 1.5, json('{}');
    create virtual table f using fts5(text);`;
  it.each([
    ['a join', 'select t.id from t, u'],
    ['a join by word', 'select u.id from u join u w'],
    ['a compound', 'select id from u union all select 2.5'],
    ['a subquery', 'select id from (select * from u)'],
    ['a column twice', 'select text, text as again from u'],
    ['long names', `select id as "${'x'.repeat(2_000)}" from u`],
    ['a value beside the columns', "select id, json('{}') j from u"],
    ['a column of another type', 'select amount from t'],
    ['a table with a generated column', 'select id from t'],
    ['a view', 'select id, text from v'],
    ['a full text table', 'select text from f'],
    ['a table-valued function', "select value from json_each('[1]')"],
    ['named parameters', 'select id from u where id = :id'],
  ])('%s', (_, sql) => {
    using db = disposable(openDatabase(':memory:', { readonly: false, busyMs: 0 }));
    db.value.exec(makes);
    const statement = db.value.prepare<unknown[], never>(sql).raw();
    expect(PackedQuery.of(db.value, parseQuery(sql), statement, 'rows', 'digits')).toBeUndefined();
  });
});

test('NDJSON with a column that has the name of what is no row is written row by row', () => {
  using db = disposable(openDatabase(':memory:', { readonly: false, busyMs: 0 }));
  db.value.exec('create table t (_trough integer)');
  const sql = 'select _trough from t';
  const statement = db.value.prepare<unknown[], never>(sql).raw();
  expect(PackedQuery.of(db.value, parseQuery(sql), statement, 'ndjson', 'digits')).toBeUndefined();
  expect(PackedQuery.of(db.value, parseQuery(sql), statement, 'rows', 'digits')).toBeDefined();
});

function disposable(value: Database.Database): { value: Database.Database } & Disposable {
  return {
    value,
    [Symbol.dispose]: () => {
      value.close();
    },
  };
}

function fill(db: Database.Database, rows: readonly { row: Record<string, SqlValue>; odd: unknown }[]): void {
  db.exec('pragma synchronous = off; drop table if exists t; create table t (id integer, small integer, text text)');
  const insert = db.prepare('insert into t values (?, ?, ?)');
  db.transaction(() => {
    for (const { row, odd } of rows) insert.run(row['id'], odd ?? row['small'], row['text']);
  })();
}

function numbers(db: Database.Database, count: number): void {
  db.exec('create table t (id integer primary key, small integer)');
  const insert = db.prepare('insert into t values (?, ?)');
  db.transaction(() => {
    for (let id = 1; id <= count; id += 1) insert.run(id, (id * 7) % 50);
  })();
}

function answer(file: string, sql: string, format: RowFormat, bigints: Bigints): { text: string; isPacked: boolean } {
  const connections = new Connections(1);
  const message = { file, version: '1', live: false, sql, format, bigints };
  const query = new RunningQuery(message, connections);
  const parts: Buffer[] = [];
  try {
    for (;;) {
      const { bytes, isLast } = query.next();
      parts.push(bytes);
      if (isLast) break;
    }
    return { text: Buffer.concat(parts).toString('utf8'), isPacked: query.isPacked };
  } catch (error) {
    return { text: String(error), isPacked: query.isPacked };
  } finally {
    connections.forget(file);
  }
}

function expected(db: Database.Database, format: RowFormat, bigints: Bigints): string {
  const statement = db.prepare<unknown[], SqlValue[]>('select * from t').safeIntegers().raw();
  const writer = createRowWriter(
    format,
    statement.columns().map(({ name }) => name),
    bigints,
  );
  try {
    const rows = statement.all().map((row, index) => writer.row(row, index === 0));
    return Buffer.from(rows.join(''), writer.encoding).toString('utf8');
  } catch (error) {
    return String(error);
  }
}
