import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bodyOf, numbers, testEngine } from './engine-fixture.ts';

let at: Awaited<ReturnType<typeof testEngine>>;
beforeAll(async () => {
  at = await testEngine();
  at.make(
    's',
    "create table t (id integer primary key, name text); insert into t values (1, 'a'), (2, null); create view v as select 'a' regexp 'a' as x",
  );
});
afterAll(() => at[Symbol.asyncDispose]());

test('rows come in one piece, with columns and a summary', async () => {
  const answer = await at.query({ sql: 'select * from t order by id' });
  expect(answer.columns).toEqual(['id', 'name']);
  expect(await bodyOf(answer)).toBe('{"id":1,"name":"a"},\n{"id":2,"name":null}');
  expect(answer.summary()).toEqual({ rows: 2, truncated: false });
});

test.each([
  ['select 1 as a, 2 as b, 3 as a', '{"a":3,"b":2}'],
  [
    'select 9223372036854775807 as x, 9223372036854775808 as y, -0.0 as z',
    '{"x":9223372036854775807,"y":9223372036854776000.0,"z":-0.0}',
  ],
  ["select 'cat' regexp 'a' as m, regexp('^c', 'cat') as n, null regexp 'a' as o", '{"m":1,"n":1,"o":0}'],
  ["select seedcrawledstatus(200.9) as s, seedcrawledstatus('200') as t", '{"s":"Crawled","t":"Crawled"}'],
  [
    "select x from (select 'one' as x union all select 'two' union all select 'three') where x regexp '^t'",
    '{"x":"two"},\n{"x":"three"}',
  ],
  ["select name, type from pragma_table_info('t')", '{"name":"id","type":"INTEGER"},\n{"name":"name","type":"TEXT"}'],
  ['pragma user_version', '{"user_version":0}'],
  ['select 1/0 as x', '{"x":null}'],
  ['select * from t where id = 99', ''],
  ['values (1); -- c', '{"column1":1}'],
  ["select json_extract('{\"a\":5}', '$.a') as j, round(sqrt(2), 2) as r", '{"j":5,"r":1.41}'],
])('%s', async (sql, body) => {
  expect(await at.text({ sql })).toBe(body);
});

test.each([
  ['select * from nosuch', 'SQL_INVALID', 'no such table: nosuch'],
  ['select nosuch from t', 'SQL_INVALID', 'no such column: nosuch'],
  ['select 1 where', 'SQL_INVALID', 'incomplete input'],
  ['selec 1', 'SQL_NOT_A_SELECT', 'Exactly one SELECT query per request, please.'],
  [
    'with a as (select 5 as x) insert into t (id) select x from a',
    'SQL_NOT_A_SELECT',
    'Exactly one SELECT query per request, please.',
  ],
  ["select load_extension('x')", 'SQL_REFUSED', 'not authorized'],
  ["select readfile('/etc/hostname')", 'SQL_INVALID', 'no such function: readfile'],
  ['select abs(-9223372036854775808) as x', 'SQL_FAILED', 'integer overflow'],
  ['select 1 as x union all select abs(-9223372036854775808)', 'SQL_FAILED', 'integer overflow'],
  ['select 1e999 as x', 'SQL_FAILED', 'an infinite REAL has no form in JSON'],
  [
    'select ? as x',
    'SQL_INVALID',
    'Incorrect number of bindings supplied. The current statement uses 1, and there are 0 supplied.',
  ],
  ["select 'a' regexp '(' as m", 'SQL_FAILED', 'user-defined function raised exception'],
  ["select 12 regexp '1'", 'SQL_FAILED', 'user-defined function raised exception'],
  ['select * from pragma_database_list', 'SQL_REFUSED', 'not authorized to use function: pragma_database_list'],
])('%s is refused: %s, %s', async (sql, code, message) => {
  await expect(at.query({ sql })).rejects.toMatchObject({ code, message, context: { segment: 's' } });
});

describe('parameters', () => {
  test.each([
    ['select ?1 as a, ? as b, typeof(?) as c', [1n, 'x', 2.5], '{"a":1,"b":"x","c":"real"}'],
    ['select :a as a, @b as b', [1n, null], '{"a":1,"b":null}'],
    ['select :a as a, $b as b, :a as c', { a: 5n, b: 'y', unused: 1 }, '{"a":5,"b":"y","c":5}'],
    [
      'select typeof(?) as a, typeof(?) as b, typeof(?) as c',
      [5, 5n, 2 ** 53],
      '{"a":"real","b":"integer","c":"real"}',
    ],
    ['select hex(?) as h', [Uint8Array.of(0, 255)], '{"h":"00FF"}'],
  ])('%s', async (sql, params, body) => {
    expect(await at.text({ sql, params })).toBe(body);
  });

  test.each([
    ['select ?', [1, 2], 'The current statement uses 1, and there are 2 supplied.'],
    ['select ?', { a: 1 }, 'The current statement uses 1, and there are 0 supplied.'],
    ['select :a', { b: 1 }, 'You did not supply a value for binding parameter :a.'],
  ])('%s with the wrong ones', async (sql, params, message) => {
    await expect(at.query({ sql, params })).rejects.toMatchObject({
      code: 'SQL_INVALID',
      message: expect.stringContaining(message) as string,
    });
  });
});

test('an answer ends after the most rows that were asked for, and says so only when there were more', async () => {
  const short = await at.query({ sql: numbers(10), maxRows: 3, format: 'rows' });
  expect(await bodyOf(short)).toBe('[1,"1"],\n[2,"2"],\n[3,"3"]');
  expect(short.summary()).toEqual({ rows: 3, truncated: true });
  const whole = await at.query({ sql: numbers(3), maxRows: 3 });
  expect(whole.summary()).toEqual({ rows: 3, truncated: false });
});

test('a long answer comes as a stream that reads like the whole', async () => {
  const answer = await at.query({ sql: numbers(50_000), format: 'csv' });
  expect(answer.body).not.toBeInstanceOf(Uint8Array);
  expect(() => answer.summary()).toThrow();
  const lines = (await bodyOf(answer)).split('\r\n');
  expect(lines).toHaveLength(50_002);
  expect([lines[0], lines[1], lines[50_000]]).toEqual(['x,t', '1,1', '50000,50000']);
  expect(answer.summary()).toEqual({ rows: 50_000, truncated: false });
});

test('a stream that fails in the middle throws, after what went well', async () => {
  const sql = `select x, t from (${numbers(50_000)}) union all select abs(-9223372036854775808), ''`;
  const answer = await at.query({ sql });
  await expect(bodyOf(answer)).rejects.toMatchObject({ code: 'SQL_FAILED', message: 'integer overflow' });
  expect(() => answer.summary()).toThrow();
});

test('a file that is not there is an unknown segment, one that is no database a damaged one', async () => {
  await expect(at.query({ sql: 'select 1', segment: 'none' })).rejects.toMatchObject({
    code: 'SEGMENT_UNKNOWN',
    context: { segment: 'none' },
  });
  await expect(at.query({ sql: 'select 1', file: '/nowhere/at/all.sqlite' })).rejects.toMatchObject({
    code: 'SEGMENT_UNKNOWN',
  });
  writeFileSync(at.fileOf('bad'), 'no database '.repeat(1_000));
  await expect(at.query({ sql: 'select * from t', segment: 'bad' })).rejects.toMatchObject({ code: 'SEGMENT_DAMAGED' });
});

test('another version of a file is opened anew; a running answer ends on the old one', async () => {
  const bigOld = `create table b (t); insert into b select t from (${numbers(40_000, 40)})`;
  at.make('r', `create table t (a); insert into t values ('old'); ${bigOld}`);
  const running = await at.query({ segment: 'r', sql: 'select t from b' });
  at.make('r2', "create table t (a); insert into t values ('new')");
  renameSync(at.fileOf('r2'), at.fileOf('r'));
  expect(await at.text({ segment: 'r', version: '2', sql: 'select a from t' })).toBe('{"a":"new"}');
  await bodyOf(running);
  expect(running.summary().rows).toBe(40_000);
});

test('reading a copy leaves nothing beside it', async () => {
  await at.text({ sql: 'select * from t' });
  expect(readdirSync(at.path).filter((name) => name.startsWith('s.'))).toEqual(['s.sqlite']);
});

test('a view of a file is not trusted with functions that are ours', async () => {
  await expect(at.query({ sql: 'select * from v' })).rejects.toMatchObject({
    message: expect.stringContaining('unsafe use') as string,
  });
});

test('a query that SQLite can prepare only with its values is answered again and again', async () => {
  at.make(
    'p',
    'create table t (a, b); create index i on t (a) where b = 1; insert into t values (5, 1), (6, 1), (5, 2)',
  );
  for (const a of [5, 6, 5, 7])
    expect(await at.text({ segment: 'p', sql: `select a from t indexed by i where b = 1 and a = ${String(a)}` })).toBe(
      a === 7 ? '' : `{"a":${String(a)}}`,
    );
  for (const a of [5, 6])
    expect(
      await at.text({ segment: 'p', sql: `select count(*) as n from t where a = 't' .a and b = ${String(a)}` }),
    ).toBe('{"n":0}');
});
