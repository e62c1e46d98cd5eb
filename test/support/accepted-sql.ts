import { type ParamValue } from '../../src/messages/http-api.ts';

export interface AcceptedSql {
  readonly sql: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ParamValue[])[];
}

/** What the segment of the list holds. Kept in a writable segment and in a copy of it. */
export const ACCEPTED_SCHEMA = `
  create table t (id integer primary key, name text, price real);
  insert into t values (1, 'ant', 0.5), (2, 'bee', 2.0), (3, 'cat', null);
  create view cheap as select name from t where price < 1;
  create index t_name on t (name);
  create table doubled (a, b generated always as (a * 2));
  insert into doubled values (4);
  create virtual table ft using fts5(body, tokenize = 'porter unicode61');
  insert into ft values ('running in the rain'), ('a dry day');
  create virtual table places using rtree(id, west, east);
  insert into places values (1, 1.0, 2.0), (2, 10.0, 20.0)`;

function accepted(sql: string, columns: string, ...rows: readonly (readonly ParamValue[])[]): AcceptedSql {
  return { sql, columns: columns === '' ? [] : columns.split(' '), rows };
}

/** Queries that SQLite calls read-only readers, in every form that a person writes them, and what they answer. By what is new about them. */
export const ACCEPTED: Readonly<Record<string, readonly AcceptedSql[]>> = {
  'plain queries': [
    accepted('select id, name from t where id = 2', 'id name', [2, 'bee']),
    accepted('SELECT DISTINCT typeof(price) AS kind FROM main.t ORDER BY 1', 'kind', ['null'], ['real']),
    accepted('select all name from t not indexed limit 1 offset 1', 'name', ['bee']),
    accepted('select count(*) as n from t group by price is null having n > 1', 'n', [2]),
    accepted('select "name", [id], `price` from t where rowid = 1', 'name id price', ['ant', 1, 0.5]),
    accepted('select * from cheap', 'name', ['ant']),
    accepted('select b from doubled', 'b', [8]),
    accepted("select name from sqlite_schema where name = 't_name'", 'name', ['t_name']),
    accepted('select 1 is distinct from null as d, 1_000 as thousand, 0xff as hex', 'd thousand hex', [1, 1000, 255]),
    accepted('select name from t where 0', 'name'),
  ],
  'joins and subqueries': [
    accepted('select a.id from t a join t b on b.id = a.id + 1 order by 1', 'id', [1], [2]),
    accepted('select l, r from (select 1 l) full join (select 2 r) on 0', 'l r', [1, null], [null, 2]),
    accepted('select name from t natural join (select 3 as id)', 'name', ['cat']),
    accepted('select (select max(id) from t) as m, exists (select 1 from t) as e', 'm e', [3, 1]),
    accepted("select name from t where (id, name) in (values (1, 'ant'), (2, 'cow'))", 'name', ['ant']),
  ],
  'common tables': [
    accepted('with a as (select 1 as x), b(y) as (select x + 1 from a) select x, y from a, b', 'x y', [1, 2]),
    accepted('with a as materialized (select 1 as x) select x from a', 'x', [1]),
    accepted(
      'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3) SELECT sum(x) AS s FROM c',
      's',
      [6],
    ),
    accepted('with q(a) as (values (1), (2)) select a from q', 'a', [1], [2]),
  ],
  'values and compounds': [
    accepted("values (1, 'a'), (2, null)", 'column1 column2', [1, 'a'], [2, null]),
    accepted('values (1) union all select 2', 'column1', [1], [2]),
    accepted('select 1 as x union select 2 union select 2 except select 1', 'x', [2]),
    accepted('select 1 as x intersect select 1 order by x', 'x', [1]),
  ],
  'in parentheses': [
    accepted('(select 1 as x)', 'x', [1]),
    accepted('( ( values (1) ) ) ;', 'column1', [1]),
    accepted('(with a as (select 1 as x) select (x) from a) -- all of it', 'x', [1]),
    accepted('select * from ((select 1 as x))', 'x', [1]),
  ],
  'comments and semicolons': [
    accepted('-- before\nselect 1 as x', 'x', [1]),
    accepted('/* before; */ select /* ; inside */ 1 as x -- after;', 'x', [1]),
    accepted('select 1 as x /* never closed', 'x', [1]),
    accepted('select 1 as x;', 'x', [1]),
    accepted(' ;; select 1 as x ; ; -- and\n ;', 'x', [1]),
    accepted("select ';' as x, '--' as y, '/*' as z", 'x y z', [';', '--', '/*']),
    accepted('\ufeff\t\r\n\f select 1 as x', 'x', [1]),
    accepted('select 1 as "delete", 2 as "insert"', 'delete insert', [1, 2]),
  ],
  'windows and aggregates': [
    accepted(
      "select id, row_number() over (order by id desc) as r, lag(name, 1, '-') over w as before from t window w as (order by id) order by id",
      'id r before',
      [1, 3, '-'],
      [2, 2, 'ant'],
      [3, 1, 'bee'],
    ),
    accepted(
      'select sum(id) over (order by id rows between 1 preceding and current row) as s from t',
      's',
      [1],
      [3],
      [5],
    ),
    accepted(
      "select group_concat(name, '|' order by name desc) as g, count(*) filter (where price > 1) as n from t",
      'g n',
      ['cat|bee|ant', 1],
    ),
    accepted('select median(id) as m, percentile(id, 100) as p from t', 'm p', [2, 3]),
  ],
  'tables that are functions': [
    accepted('select key, value from json_each(\'[7,"x"]\')', 'key value', [0, 7], [1, 'x']),
    accepted('select fullkey from json_tree(\'{"a":[1]}\') where atom is not null', 'fullkey', ['$.a[0]']),
    accepted("select name, type from pragma_table_info('t') where pk", 'name type', ['id', 'INTEGER']),
    accepted('pragma table_info(doubled)', 'cid name type notnull dflt_value pk', [0, 'a', '', 0, null, 0]),
    accepted("select count(*) > 0 as n from dbstat where name = 't'", 'n', [1]),
  ],
  JSON: [
    accepted("select json('{ \"a\" : 1 }') as j, '{\"a\":[5,6]}' -> '$.a' as o, '{\"a\":5}' ->> 'a' as v", 'j o v', [
      '{"a":1}',
      '[5,6]',
      5,
    ]),
    accepted("select json(jsonb('[1,2]')) as j, typeof(jsonb('[]')) as k, json_valid('{a:1}', 2) as v", 'j k v', [
      '[1,2]',
      'blob',
      1,
    ]),
    accepted("select json_group_array(id) as a, json_object('n', count(*)) as o from t", 'a o', ['[1,2,3]', '{"n":3}']),
  ],
  'full text, places, mathematics': [
    accepted("select rowid from ft where ft match 'run AND rain'", 'rowid', [1]),
    accepted("select highlight(ft, 0, '<', '>') as h from ft('dry') order by rank", 'h', ['a <dry> day']),
    accepted('select id from places where west > 5', 'id', [2]),
    accepted(
      'select sqrt(16) as a, pow(2, 10) as b, ceil(1.2) as c, round(pi(), 4) as d, 7 % 4 as e',
      'a b c d e',
      [4, 1024, 2, 3.1416, 3],
    ),
    accepted(
      "select datetime(0, 'unixepoch') as d, strftime('%j', '2024-03-01') as j, unixepoch('1970-01-02') as u",
      'd j u',
      ['1970-01-01 00:00:00', '061', 86400],
    ),
    accepted(
      "select printf('%05.1f|%s', 2.25, 'x') as p, quote('it''s') as q, iif(0, 1, 2) as i, unhex('c3a9') = x'c3a9' as u",
      'p q i u',
      ['002.3|x', "'it''s'", 2, 1],
    ),
  ],
};

/** What they answer is for each version of SQLite to say. */
export const ACCEPTED_SHAPES = [
  'explain query plan select * from t where id = 1',
  '-- c\nEXPLAIN QUERY PLAN WITH q AS (VALUES (1)) SELECT 1 FROM t;',
  'explain select * from t',
  '/* c */ EXPLAIN values (1);',
  'pragma compile_options',
  'select sqlite_version() as v',
];
