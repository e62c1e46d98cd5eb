import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { STAMP } from '../../support/stamped.ts';
import { OpenWriter, wireScript } from './child-fixture.ts';

// A machine that is elsewhere: what a write says of local time must not follow it.
process.env['TZ'] = 'America/New_York';

/** The moment of every write here, as SQLite writes it. */
const NOW = "'2026-11-21 12:34:56.789'";

/** Expressions that ask for the present time, and what they mean. */
const TIMES: readonly (readonly [string, string])[] = [
  ['CURRENT_TIMESTAMP', `datetime(${NOW})`],
  ['current_date', `date(${NOW})`],
  ['Current_Time', `time(${NOW})`],
  ["date('now')", `date(${NOW})`],
  ['date()', `date(${NOW})`],
  ["time('NOW')", `time(${NOW})`],
  ['time()', `time(${NOW})`],
  ["datetime('now', '+1 day', 'start of month')", `datetime(${NOW}, '+1 day', 'start of month')`],
  ["datetime('now', 'subsec')", `datetime(${NOW}, 'subsec')`],
  ["datetime('subsec')", `datetime(${NOW}, 'subsec')`],
  ["datetime('subsecond', '-1 hour')", `datetime(${NOW}, 'subsec', '-1 hour')`],
  ["datetime('now', 'localtime')", `datetime(${NOW})`],
  ["datetime('now', 'utc')", `datetime(${NOW})`],
  ["datetime(x'6e6f77')", `datetime(${NOW})`],
  ["datetime('now' || char(0) || 'x')", `datetime(${NOW})`],
  ["datetime(' now')", 'NULL'],
  ["datetime('now', 'unixepoch')", 'NULL'],
  ["datetime('now', 'weekday 0', 'auto')", 'NULL'],
  ["julianday('now')", `julianday(${NOW})`],
  ['julianday()', `julianday(${NOW})`],
  ["unixepoch('now')", `unixepoch(${NOW})`],
  ['unixepoch()', `unixepoch(${NOW})`],
  ["unixepoch('now', 'subsec')", `unixepoch(${NOW}, 'subsec')`],
  ["strftime('%Y-%m-%d %H:%M:%f %j %J %s', 'now')", `strftime('%Y-%m-%d %H:%M:%f %j %J %s', ${NOW})`],
  ["strftime('%Y %f')", `strftime('%Y %f', ${NOW})`],
  ['strftime()', 'NULL'],
  ["strftime('now', 'now')", `strftime('now', ${NOW})`],
  ["timediff('now', '2000-01-01')", `timediff(${NOW}, '2000-01-01')`],
  ["timediff('2030-01-01', 'now')", `timediff('2030-01-01', ${NOW})`],
  ["timediff('now', 'now')", `timediff(${NOW}, ${NOW})`],
  ["date('2024-02-29', '+1 year')", "date('2024-02-29', '+1 year')"],
  ['datetime(0)', 'datetime(0)'],
  ['datetime(2460000.5)', 'datetime(2460000.5)'],
  ["datetime(1700000000, 'unixepoch')", "datetime(1700000000, 'unixepoch')"],
  ["unixepoch('2024-01-01', 'localtime')", "unixepoch('2024-01-01')"],
  ['date(null)', 'NULL'],
  ["datetime('now', null)", 'NULL'],
];

test.each(TIMES)('%s is what the stamp says, of the type that SQLite gives', (asked, meant) => {
  using at = new OpenWriter();
  expect(at.write('create table t (a)', `insert into t values (${asked})`)).toEqual(['ok', 'ok']);
  const plain = new Database(':memory:');
  const expected = plain.prepare(`select quote(${meant}), typeof(${meant})`).raw().get();
  plain.close();
  expect(at.rows('select quote(a), typeof(a) from t')).toEqual([expected]);
});

test('defaults, triggers, views and generated keys have the time and the chance of the write', () => {
  const schema = `create table t (id integer primary key, a default current_timestamp, b default (datetime('now')), c default (random()), d);
    create table log (at, r, u);
    create trigger r after insert on t begin insert into log values (current_date, random(), hex(randomblob(8))); end;
    create view v as select unixepoch() as u, CURRENT_TIME as t`;
  const scripts = [
    'insert into t (d) values (1), (2)',
    'insert into t (a, d) select u || t, random() from v',
    'insert into t (d) values (hex(randomblob(3))) returning id',
  ];
  const run = (stamp: Partial<typeof STAMP>): unknown[] => {
    using at = new OpenWriter();
    at.write(schema);
    expect(at.commit(scripts.map((sql) => wireScript(sql, stamp)))).toEqual(['ok', 'ok', 'ok']);
    return [at.rows('select * from t'), at.rows('select * from log')];
  };
  const first = run({});
  expect(JSON.stringify(first, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))).toMatch(
    /^\[\[\["1","2026-11-21 12:34:56","2026-11-21 12:34:56",.*\[\["2026-11-21","/,
  );
  expect(run({})).toEqual(first);
  expect(run({ seed: STAMP.seed.replace('f', 'e') as typeof STAMP.seed })).not.toEqual(first);
  expect(run({ timeMs: 0 as typeof STAMP.timeMs })).not.toEqual(first);
});

test('chance has the shape of SQLite: 64 bits of either sign, blobs of one byte at least', () => {
  using at = new OpenWriter();
  at.write(
    'create table t (a)',
    'insert into t with recursive c(x) as (select 1 union all select x + 1 from c limit 400) select random() from c',
  );
  expect(at.rows('select count(distinct a), min(a) < -4e18, max(a) > 4e18, count(distinct typeof(a)) from t')).toEqual([
    [400n, 1n, 1n, 1n],
  ]);
  const sizes = ['0', '-5', 'null', "'3x'", '2.9', "x'34'", '1000'];
  at.write(
    `create table b as select ${sizes.map((size, index) => `length(randomblob(${size})) as l${String(index)}`).join()}`,
  );
  expect(at.rows('select * from b')).toEqual([[1n, 1n, 1n, 3n, 2n, 4n, 1000n]]);
  expect(at.write('insert into t values (randomblob(1000000001))')).toEqual(['string or blob too big']);
});

/** A schema, and what SQLite itself says to each write on it. */
const PRESENT_FORBIDDEN: readonly (readonly [string, readonly string[]])[] = [
  ['create table t (a check (date(a) is not null))', ["'2024-01-01'", "'now'", "'nonsense'"]],
  ['create table t (a, b as (date(a)) stored)', ["'2024-01-01'", "'now'"]],
  ["create table t (a); create index i on t (strftime('%Y', a))", ["'2024-01-01'", "'now'", "'NOW'"]],
  ["create table t (a, b as (date(a, 'localtime')) stored)", ["'2024-01-01'"]],
  ["create table t (a); create index i on t (a) where a > date('now')", ["'2024-01-01'"]],
  ['create table t (a check (a <= current_timestamp))', ["'2024-01-01'", "'3000-01-01'"]],
];

test.each(PRESENT_FORBIDDEN)('the present time is refused where SQLite refuses it: %s', (schema, values) => {
  const plain = new Database(':memory:');
  plain.exec(schema);
  using at = new OpenWriter();
  expect(at.write(schema)).toEqual(['ok']);
  for (const value of values) {
    const sql = `insert into t (a) values (${value})`;
    const refusal = ((): string => {
      try {
        plain.exec(sql);
        return 'ok';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    const [said = ''] = at.write(sql);
    if (refusal.startsWith('non-deterministic use')) expect(said).toMatch(/^non-deterministic use of \w+\(\) /);
    else expect(said).toBe(refusal);
  }
  expect(at.rows('select * from t')).toEqual(plain.prepare('select * from t').safeIntegers().raw().all());
  plain.close();
});

test('a statement may ask for the present time by the function that a CHECK calls; a default may not', () => {
  using at = new OpenWriter();
  at.write("create table t (a check (date(a) > '2000'), b default (date('now')))");
  expect(
    at.write(
      "insert into t values (date('now'), \"date\"('now')), (date('now', '+1 day'), DATE ('2024-01-01'))",
      "with date(x) as (select date('now')) insert into t select x, 1 from date",
      "update t set b = date('now', '-1 day') where b = 1 or a > date()",
      "insert into t (a) values ('2024-01-01')",
      "insert into t values ('now', 1)",
    ),
  ).toEqual([
    ...Array<string>(3).fill('ok'),
    ...Array<unknown>(2).fill(expect.stringMatching(/^non-deterministic use of date/)),
  ]);
  expect(at.rows('select * from t')).toEqual([
    ['2026-11-21', '2026-11-21'],
    ['2026-11-22', '2026-11-20'],
    ['2026-11-21', '2026-11-20'],
  ]);
});

test('a default may ask for the present time beside a CHECK that has another function of time', () => {
  using at = new OpenWriter();
  at.write("create table t (a check (date(a) > '2000'), b default (datetime('now')), c default current_timestamp)");
  expect(at.write("insert into t (a) values ('2024-01-01')", "insert into t (a) values ('now')")).toEqual([
    'ok',
    'non-deterministic use of date() where an index, a CHECK constraint or a generated column calls it',
  ]);
  expect(at.rows('select b, c from t')).toEqual([['2026-11-21 12:34:56', '2026-11-21 12:34:56']]);
});

test.each([
  'create index i on t (random())',
  'create index i on t (current_date)',
  'create table u (a, b as (random()))',
])('what must not be in a schema is refused by SQLite as ever: %s', (sql) => {
  using at = new OpenWriter();
  at.write('create table t (a)');
  expect(at.write(sql)[0]).toMatch(/^non-deterministic functions prohibited in /);
});

test('what counts from when the connection was opened is refused, also when a default of an older file calls it', () => {
  using at = new OpenWriter();
  at.db.exec('create table t (a, b default (total_changes()))');
  expect(at.write('insert into t (a) values (1)', 'delete from t where a = total_changes()')).toEqual([
    'not authorized to use function: total_changes',
    'not authorized to use function: total_changes',
  ]);
});

test('a view or a trigger of an older file that tells of the file is refused with everything that reaches it', () => {
  using at = new OpenWriter();
  at.db.exec(`create table t (a); create table u (a); create table free (a);
    create view pages as select page_count as n from pragma_page_count;
    create view more as select n + 1 as m from pages;
    create trigger r after insert on u begin insert into t select name from dbstat; end;
    create trigger s after delete on free begin insert into u values (1); end`);
  const refusal = (name: string): string =>
    `'${name}' tells of the state of the file, which may be another when the write is run again`;
  expect(
    at.write(
      'insert into t select n from pages',
      'insert into t select m from more',
      'insert into u values (1)',
      'insert into free values (1)',
      'delete from free',
      'insert into t values (1)',
    ),
  ).toEqual([refusal('pages'), refusal('more'), refusal('u'), refusal('free'), refusal('free'), 'ok']);
  expect(at.write('drop view pages; drop trigger r', 'delete from free', 'insert into u values (1)')).toEqual([
    'ok',
    'ok',
    'ok',
  ]);
});
