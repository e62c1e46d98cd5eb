import { afterAll, beforeAll, describe, it } from 'vitest';
import { soundSegment } from '../../support/crafted-segments.ts';
import {
  BOXES,
  type Crafted,
  craftedFixture,
  type CraftedFixture,
  DAMAGED,
  damaged,
  EVERYTHING,
  LONG,
  ROWS,
  SOUND_ROWS,
  WORDS,
} from './crafted-fixture.ts';

let crafted: CraftedFixture;

beforeAll(async () => {
  crafted = await craftedFixture();
});

afterAll(async () => {
  await crafted[Symbol.asyncDispose]();
});

const holds = (one: Crafted): Promise<void> => crafted.holds(one);

/** A sound segment that more SQL is run in, with the schema as a table like any other. */
function having(sql: string): (file: string) => void {
  return (file) => {
    soundSegment(file, sql);
  };
}

describe('a schema that was written by hand', () => {
  const schemaOf = (name: string, sql: string): string =>
    `update sqlite_schema set sql = ${sql} where name = '${name}';`;
  it.each<[string, string, readonly string[]]>([
    ['a table that begins behind the end', "update sqlite_schema set rootpage = 99999999 where name = 't'", EVERYTHING],
    ['a table that begins where the schema does', "update sqlite_schema set rootpage = 1 where name = 't'", EVERYTHING],
    ['a table that begins nowhere', "update sqlite_schema set rootpage = 0 where name = 't'", [ROWS]],
    [
      'a table that begins where an index does',
      "update sqlite_schema set rootpage = (select rootpage from sqlite_schema where name = 'tb') where name = 't'",
      [ROWS],
    ],
    ['ATTACH instead of a table', schemaOf('t', "'attach ''other'' as o'"), EVERYTHING],
    ['ATTACH behind a table', schemaOf('t', "sql || '; attach ''other'' as o'"), EVERYTHING],
    ['a PRAGMA instead of a table', schemaOf('t', "'pragma trusted_schema = 1'"), EVERYTHING],
    ['half a table', schemaOf('t', "'create table t ('"), EVERYTHING],
    [
      '50,000 brackets',
      schemaOf('t', "'create table t (a default (' || replace(hex(zeroblob(25000)), '0', '(')"),
      [ROWS],
    ],
    ['a million columns', schemaOf('t', "'create table t (a' || replace(hex(zeroblob(500000)), '0', ', c')"), [ROWS]],
    [
      'an index that calls REGEXP',
      "insert into sqlite_schema values ('index', 'i', 't', 2, 'create index i on t (b regexp ''x'')')",
      [ROWS],
    ],
    [
      'an index that loads an extension',
      "insert into sqlite_schema values ('index', 'i', 't', 2, 'create index i on t (load_extension(b))')",
      [ROWS],
    ],
    [
      'a generated column that calls REGEXP',
      schemaOf('t', "'create table t (a integer primary key, b, c as (b regexp ''x''))'"),
      [ROWS],
    ],
    [
      'an index of FTS5 whose structure is nonsense',
      "update ft_data set block = x'ffffffffffff' where id = 10",
      [WORDS],
    ],
    ['an R*Tree with nodes of 3 bytes', 'update rt_node set data = zeroblob(3)', [BOXES]],
  ])('%s: damaged', (_, sql, queries) => holds(damaged(having(sql), ...queries)));

  const views = (more: string): string =>
    Array.from(
      { length: 40 },
      (_, n) => `create view v${String(n + 1)} as ${more.replaceAll('PRIOR', `v${String(n)}`)};`,
    ).join('');
  it.each<[string, string, string, string]>([
    ['a view that loads an extension', "create view v as select load_extension('x')", 'select * from v', 'SQL_REFUSED'],
    [
      'a view that calls fts3_tokenizer',
      "create view v as select fts3_tokenizer('simple')",
      'select * from v',
      'SQL_REFUSED',
    ],
    ['a view that calls REGEXP', "create view v as select 'a' regexp 'a'", 'select * from v', 'SQL_REFUSED'],
    [
      'a view of pragma_database_list',
      'create view v as select * from pragma_database_list',
      'select * from v',
      'SQL_REFUSED',
    ],
    [
      'a view of pragma_table_info',
      "create view v as select * from pragma_table_info('t')",
      'select * from v',
      'SQL_REFUSED',
    ],
    ['a view of dbstat', 'create view v as select * from dbstat', 'select * from v', 'SQL_REFUSED'],
    [
      'views that are made of each other',
      `create view v as select 1; create view w as select * from v; ${schemaOf('v', "'create view v as select * from w'")}`,
      'select * from v',
      'SQL_INVALID',
    ],
    [
      '40 views, each a join of the one before',
      `create view v0 as select 1 as x; ${views('select a.x from PRIOR a, PRIOR b')}`,
      'select * from v40',
      'SQL_INVALID',
    ],
    [
      '40 views, each twice the one before',
      `create view v0 as select 1 as x; ${views('select x from PRIOR union all select x from PRIOR')}`,
      'select * from v40',
      'SQL_INVALID',
    ],
    [
      'a view without end',
      'create view v as with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c',
      'select * from v',
      'ENGINE_DEADLINE',
    ],
    [
      'a table of an unknown module',
      "insert into sqlite_schema values ('table', 'x', 'x', 0, 'create virtual table x using csv(filename=''/etc/passwd'')')",
      'select * from x',
      'SQL_INVALID',
    ],
    [
      'a trigger that loads an extension',
      "create trigger x after insert on t begin select load_extension('x'); end",
      'select count(*) as n from long',
      '{"n":2}',
    ],
    [
      'nonsense as statistics',
      "update sqlite_stat1 set stat = '1 999999999999999999999 unordered sz=-5'; update sqlite_stat4 set sample = randomblob(500), neq = zeroblob(1000)",
      ROWS,
      SOUND_ROWS,
    ],
    [
      'a default of 12 MB',
      schemaOf('long', "'create table long (a integer primary key, b default ''' || hex(zeroblob(6000000)) || ''')'"),
      ROWS,
      SOUND_ROWS,
    ],
    [
      'a rank of FTS5 that loads an extension',
      "insert into ft_config values ('rank', 'load_extension(''x'')')",
      "select rank from ft('word')",
      'SQL_FAILED',
    ],
    [
      'a table of FTS5 that is its own content',
      "create virtual table x using fts5(a, content='x')",
      'select * from x',
      'SQL_FAILED',
    ],
  ])('%s', (_, sql, query, answer) =>
    holds({
      make: having(sql),
      asked: [
        [query, answer],
        [LONG, '{"b":40000}'],
      ],
      checked: 'ok',
    }),
  );

  it.each([
    [
      'a tokenizer that is none',
      "insert into sqlite_schema values ('table', 'x', 'x', 0, 'create virtual table x using fts3(a, tokenize=evil)')",
    ],
    ['FTS5 of an unknown version', "update ft_config set v = 99999 where k = 'version'"],
  ])('%s cannot be checked, so the file is damaged, and the other tables are read', (_, sql) =>
    holds({ make: having(sql), asked: [[ROWS, SOUND_ROWS]], checked: DAMAGED }),
  );
});
