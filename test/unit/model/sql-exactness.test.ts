import { describe, expect, test } from 'vitest';
import { COUNTER_TABLE } from '../../../src/model/sql-exactness.ts';
import { parseScript } from '../../../src/model/sql-rules.ts';
import { timeCallsOutsideDefaults, withOwnTimeNames } from '../../../src/model/sql-time-calls.ts';

describe('a script is refused, by name and place, for', () => {
  test.each([
    ['insert into t select * from dbstat', 'dbstat', 'not authorized to use function: dbstat'],
    ["insert into t select * from 'DBSTAT'", 'dbstat', 'not authorized to use function: dbstat'],
    ['insert into t select 1 from a, [dbstat]', 'dbstat', 'not authorized to use function: dbstat'],
    ['insert into t select 1 where 5 in pragma_page_count', 'pragma_page_count', /pragma_page_count$/],
    ['insert into t select * from main."pragma_freelist_count"', 'pragma_freelist_count', /pragma_freelist_count$/],
    ['create view v as select * from pragma_application_id()', 'pragma_application_id', /pragma_application_id$/],
    [
      'create trigger r after insert on t begin select * from pragma_data_version; end',
      'pragma_data_version',
      /pragma_/,
    ],
    ['insert into t select * from pragma_table_list', 'pragma_table_list', /pragma_table_list$/],
    ['update t set a = total_changes()', 'total_changes', 'not authorized to use function: total_changes'],
    [
      'create table u (a default (TOTAL_CHANGES ( )))',
      'total_changes',
      'not authorized to use function: total_changes',
    ],
    [
      "insert into sqlite_stat1 values ('t', null, '1')",
      'sqlite_stat1',
      'table sqlite_stat1 may only be filled by ANALYZE',
    ],
    ['with a as (select 1) delete from main.sqlite_stat4', 'sqlite_stat4', /may only be filled by ANALYZE$/],
    ['create trigger r after insert on t begin delete from sqlite_stat1; end', 'sqlite_stat1', /by ANALYZE$/],
    [`insert into temp."${COUNTER_TABLE}" values (1)`, COUNTER_TABLE, /may not be used$/],
    [`drop table '${COUNTER_TABLE}'`, COUNTER_TABLE, /may not be used$/],
  ])('%s', (sql, name, message) => {
    const before = 'insert into t values (1); ';
    const start = sql.toLowerCase().indexOf(name);
    const at = before.length + (/["'[]/.test(sql.charAt(start - 1)) ? start - 1 : start);
    expect(() => parseScript(before + sql)).toThrow(
      expect.objectContaining({
        ...{ code: 'SQL_REFUSED', context: { statement: 2, offset: at, name } },
        message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
      }) as Error,
    );
  });
});

test.each([
  "insert into t values ('dbstat', 'pragma_page_count', 'sqlite_stat1')",
  "insert into t select 'dbstat' where a = 'dbstat'",
  'insert into t select total_changes from u',
  "insert into t select name from pragma_table_info('t'), pragma_index_list('t')",
  'insert into t select user_version from pragma_user_version',
  'select pragma_date from t',
  'select * from sqlite_stat1',
  'drop table sqlite_stat1',
  'analyze',
  '-- dbstat\nselect 1 /* total_changes() */',
  'insert into t values (changes(), last_insert_rowid(), random(), datetime())',
])('what can be repeated is not refused: %s', (sql) => {
  expect(() => parseScript(sql)).not.toThrow();
});

test.each([
  ['create table t (a default (date()), b default(strftime(1)), c)', []],
  ['create table t (a default (coalesce(date(), (1))), check (time(a) > 1))', ['time']],
  ['create table t (a, b as (Date(a)), c text default current_timestamp)', ['date']],
  [
    'create index i on t (julianday(a), "unixepoch"(b)) where timediff(a, b) > 1',
    ['julianday', 'timediff', 'unixepoch'],
  ],
  ["create table t (date, time text, check (date > 'time(' ))", []],
  ['create table t (a) -- check (date(a))', []],
])('the functions of time in %s', (sql, names) => {
  expect([...timeCallsOutsideDefaults(sql)].sort()).toEqual(names);
});

test.each([
  ["insert into t values (date('now'), time('now'))", `insert into t values ("trough date"('now'), time('now'))`],
  [
    'select DATE (a), "date"(b), [date] (c), `date`()',
    'select "trough date" (a), "trough date"(b), "trough date" (c), "trough date"()',
  ],
  ['insert into date(a) select date from date', undefined],
  ['with date(x) as (select 1) select x', undefined],
  ["select 'date' (1), date, date.a -- date(1)", undefined],
])("a statement's own calls get names of their own: %s", (sql, rewritten) => {
  expect(withOwnTimeNames(sql, new Set(['date']))).toBe(rewritten ?? sql);
});
