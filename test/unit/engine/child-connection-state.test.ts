import { expect, test } from 'vitest';
import { OpenWriter, saidOf, wireScript, wireStatements } from './child-fixture.ts';

const MOST = '9223372036854775807';

test('every write finds the counters of a new connection, whatever ran before it', () => {
  using at = new OpenWriter();
  at.write(
    'create table t (id integer primary key, a, b)',
    'create table u (a)',
    'create table w (k primary key) without rowid',
  );
  const look = 'insert into t (a, b) values (last_insert_rowid(), changes())';
  at.write('insert into u values (1), (2), (3)', look);
  at.write(look, 'delete from u; insert into u values (1), (2)', look, 'insert into nosuch values (1)', look);
  at.write('update u set a = 5', look, `insert or rollback into t (id) values (1)`, look);
  expect(at.rows('select distinct a, b from t')).toEqual([[0n, 0n]]);
});

test('within a write the counters go on as in SQLite', () => {
  using at = new OpenWriter();
  at.write('create table t (a, b)', 'create table u (id integer primary key, a)');
  at.write(
    'insert into u (a) values (1), (2); insert into t values (last_insert_rowid(), changes()); update u set a = 3; insert into t values (last_insert_rowid(), changes())',
  );
  expect(at.rows('select * from t')).toEqual([
    [2n, 2n],
    [1n, 2n],
  ]);
});

test('what a write is told of its rows does not depend on the writes before it', () => {
  const write = wireStatements([
    { sql: 'update t set a = a' },
    { sql: 'insert into w values (1)' },
    { sql: 'insert into t values (7) returning a' },
  ]);
  const told = (...before: readonly string[]): unknown => {
    using at = new OpenWriter();
    at.write(
      'create table t (a)',
      'create table w (k primary key) without rowid',
      'insert into t values (1), (2)',
      ...before,
    );
    return at.runner.apply([write]);
  };
  expect(told()).toEqual([
    {
      ok: true,
      results: [
        { changes: 2, lastInsertRowid: '0' },
        { changes: 1, lastInsertRowid: '0' },
        { changes: 1, lastInsertRowid: '3' },
      ],
    },
  ]);
  expect(
    told('create table u (a)', 'insert into u values (1), (2), (3), (4)', "insert into u values ('x'), (nosuch())"),
  ).toEqual(told());
});

test('the table behind the counters is no part of the schema that a write sees change', () => {
  using at = new OpenWriter();
  at.write(
    'create table t (a)',
    'create temp table mine (a); create temp view seen as select 1; create temp trigger r after insert on t begin select 1; end',
  );
  expect(at.rows('select name from sqlite_temp_schema')).toEqual([['trough counters']]);
  expect(at.rows("select count(*) from sqlite_schema where name like 'trough%'")).toEqual([[0n]]);
});

test.each([
  ['by itself', `insert into t (id) values (${MOST})`],
  ['among others', `insert into t (id) select value from json_each('[1, ${MOST}, 2]')`],
  ['by counting on', `insert into t (id) values (9223372036854775806); insert into t (a) values (1)`],
])('a table cannot come to the largest rowid by a statement that may also take a rowid of SQLite: %s', (_, sql) => {
  using at = new OpenWriter();
  at.write('create table t (id integer primary key, a)');
  expect(at.write(sql, 'insert into t (a) values (1)')).toEqual([
    `table t has a row ${MOST}: SQLite would choose the rowid of the next one at random`,
    'ok',
  ]);
  expect(at.rows('select id from t')).toEqual([[1n]]);
});

test('a table that came with the largest rowid takes no row whose number SQLite would choose, by no way', () => {
  using at = new OpenWriter();
  at.db.exec(`create table t (a); insert into t (rowid, a) values (${MOST}, 1); create table other (a);
    create trigger r after insert on other begin insert into t values (new.a); end;
    create view v as select * from t; create trigger s instead of insert on v begin insert into t values (new.a); end`);
  const refused = `table t has a row ${MOST}: SQLite would choose the rowid of the next one at random`;
  expect(
    at.write(
      'insert into t values (2)',
      'insert into "T" select 2 returning a',
      'insert into other values (2)',
      'insert into v values (2)',
      'update t set a = 3',
      'update other set a = 3',
      `update t set rowid = 5 where rowid = ${MOST}; insert into t values (6)`,
      'insert into other values (7)',
    ),
  ).toEqual([refused, refused, refused, refused, 'ok', 'ok', 'ok', 'ok']);
  expect(at.rows('select rowid, a from t')).toEqual([
    [5n, 3n],
    [6n, 6n],
    [7n, 7n],
  ]);
});

test('a table that counts on for ever, one without rowid and a column of that name are no such table', () => {
  using at = new OpenWriter();
  at.write(
    'create table a (id integer primary key autoincrement, x)',
    'create table w (k integer primary key) without rowid',
    'create table c (rowid, x)',
    'create table three (rowid, _rowid_, oid)',
  );
  expect(
    at.write(
      `insert into a (id) values (${MOST})`,
      'insert into a (x) values (1)',
      `insert into w values (${MOST})`,
      `insert into c values (${MOST}, 1)`,
      'insert into c values (1, 1)',
      `insert into three values (${MOST}, ${MOST}, ${MOST})`,
      `insert into c (_rowid_, x) values (${MOST}, 1)`,
    ),
  ).toEqual([
    'ok',
    'database or disk is full',
    'ok',
    'ok',
    'ok',
    'ok',
    `table c has a row ${MOST}: SQLite would choose the rowid of the next one at random`,
  ]);
});

test('rows of a virtual table are numbered in its own tables, and those are looked at too', () => {
  using at = new OpenWriter();
  at.write('create virtual table f using fts5(x)', `insert into f (rowid, x) values (${MOST}, 'a')`);
  expect(at.write("insert into f (x) values ('b')")).toEqual(['ok']);
  expect(at.rows('select rowid, x from f')).toEqual([[1n, 'b']]);
  at.db.exec(`insert into f (rowid, x) values (${MOST}, 'c')`);
  expect(at.write("insert into f (x) values ('d')")[0]).toMatch(/^table f_\w+ has a row 9223372036854775807/);
});

/** The plan shows which statistics the planner has in mind. */
const PLAN = 'explain query plan select * from t where a = 1 and b = 1';

test('the planner knows the statistics of the file, not those of an ANALYZE that was undone', () => {
  using at = new OpenWriter();
  at.write(
    'create table t (a, b); create index ia on t (a); create index ib on t (b)',
    'insert into t with recursive c(x) as (select 1 union all select x + 1 from c limit 1000) select 1, x from c',
    'analyze',
  );
  const planned = at.rows(PLAN);
  const spoil = 'update t set a = b, b = 1; analyze';
  expect(at.write(`${spoil}; insert into nosuch values (1)`, 'insert into t values (0, 0)')).toEqual([
    'no such table: nosuch',
    'ok',
  ]);
  expect(at.rows(PLAN)).toEqual(planned);
  at.runner.apply([wireScript(spoil)]);
  at.runner.rollback();
  at.write('insert into t values (0, 0)');
  expect(at.rows(PLAN)).toEqual(planned);
  at.write(spoil);
  expect(at.rows(PLAN)).not.toEqual(planned);
});

test('no constraint is left to COMMIT: foreign keys stay off, whatever a script says', () => {
  using at = new OpenWriter();
  at.write('create table p (id integer primary key)', 'create table c (p references p deferrable initially deferred)');
  expect(
    at.write(
      'pragma foreign_keys = on; insert into c values (1)',
      'pragma defer_foreign_keys = on; insert into c values (2)',
      'insert into c values (3)',
    ),
  ).toEqual(['ok', 'ok', 'ok']);
  expect(at.db.inTransaction).toBe(false);
  expect(at.rows('pragma foreign_keys')).toEqual([[0n]]);
});

test('when one makes SQLite leave the transaction the others run again at their own moment', () => {
  using at = new OpenWriter();
  at.write(
    'create table t (a unique, b default (random()), c default current_timestamp)',
    'insert into t values (1, 1, 1)',
  );
  const writes = [0, 1, 2, 3].map((index) => {
    const sql =
      index === 2 ? 'insert or rollback into t (a) values (1)' : `insert into t (a) values (${String(index + 10)})`;
    return wireScript(sql, { timeMs: index * 1000, seed: String(index).repeat(32) });
  });
  const grouped = at.runner.apply(writes).map(saidOf);
  at.runner.commit();
  expect(grouped).toEqual(['ok', 'ok', 'UNIQUE constraint failed: t.a', 'ok']);
  using alone = new OpenWriter();
  alone.write(
    'create table t (a unique, b default (random()), c default current_timestamp)',
    'insert into t values (1, 1, 1)',
  );
  for (const write of writes) alone.commit([write]);
  expect(at.rows('select * from t')).toEqual(alone.rows('select * from t'));
  expect(at.rows('select c from t where a = 13')).toEqual([['1970-01-01 00:00:03']]);
});
