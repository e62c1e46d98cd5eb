import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { liftLiterals } from '../../../src/model/sql-literals.ts';

describe('values are taken out of', () => {
  it.each([
    ['select * from t where id=17', 'select * from t where id=?', [17n]],
    ["select * from t where url = 'it''s' and id <= 3", 'select * from t where url = ? and id <= ?', ["it's", 3n]],
    ['select 5, a from t where (id > 1 or id<>2);', 'select 5, a from t where (id > ? or id<>?);', [1n, 2n]],
    [
      'SELECT a FROM t WHERE a=1 GROUP BY 1 HAVING a=2 LIMIT 3',
      'SELECT a FROM t WHERE a=? GROUP BY 1 HAVING a=2 LIMIT 3',
      [1n],
    ],
  ])('%s', (sql, template, values) => {
    expect(liftLiterals(sql)).toEqual({ template, values });
  });
});

describe('nothing is taken out of', () => {
  it.each([
    ['a query without a comparison', 'select 1, 2 from t order by 1 limit 5'],
    ['a query with parameters of its own', 'select * from t where a=1 and b=?'],
    ['the columns, which are named after their text', 'select a=1 from t'],
    ['a subquery', 'select * from t where a=(select b from t where c=1)'],
    ['a common table expression', 'with x as (select 1) select * from x where a=1'],
    ['a comment or a quoted name', 'select * from t where "a=1" /* =2 */'],
    ['a path of JSON', "select * from t where a->'$.b' is null and a->>'x' is null"],
    ['an argument of a function', "select * from t where json_extract(a, '$.b') is null"],
    ['a shift', 'select * from t where a>>1 and a<<2'],
    ['numbers that are no plain integers', 'select * from t where a=1.5 and b=0x10 and c=1234567890123456 and d=1e3'],
    ['EXPLAIN', 'explain select * from t where a=1'],
    ['something unfinished', "select * from t where a=1 and b='"],
    ['a null character', "select * from t where a='\0'"],
  ])('%s', (_, sql) => {
    expect(liftLiterals(sql)).toBeUndefined();
  });
});

test('a query answers the same with its values taken out', () => {
  using db = Object.assign(new Database(':memory:'), {
    [Symbol.dispose](this: Database.Database) {
      this.close();
    },
  });
  db.exec(`create table t (i integer, t text collate nocase, n numeric, x);
    create index p on t (t) where i = 1;
    create index e on t (i + 1)`);
  const insert = db.prepare('insert into t values (?, ?, ?, ?)');
  for (const i of [1, 2, 10, null]) for (const t of ['1', 'a', 'A', '10', null]) insert.run(i, t, t, i ?? t);
  const column = fc.constantFrom('i', 't', 'n', 'x', 'i + 1', '+t', "coalesce(x, '1')", 'rowid', 'cast(n as text)');
  const literal = fc.constantFrom(
    '1',
    '2',
    '10',
    "'1'",
    "'a'",
    "'A'",
    "'10'",
    '10.0',
    'null',
    '-1',
    '1 + 1',
    "'a' || ''",
  );
  const term = fc
    .tuple(column, fc.constantFrom('=', '==', '<', '>=', '<>', '!=', ' is ', '> '), literal)
    .map((parts) => parts.join(''));
  const where = fc.array(term, { minLength: 1, maxLength: 3 }).map((terms) => terms.join(' or '));
  let lifted = 0;
  fc.assert(
    fc.property(where, (condition) => {
      const sql = `select rowid, * from t where ${condition} and 1=1 order by 1`;
      const { template, values } = liftLiterals(sql) ?? { template: sql, values: [] };
      lifted += values.length;
      expect(
        db
          .prepare(template)
          .raw()
          .all(...values),
      ).toEqual(db.prepare(sql).raw().all());
    }),
    { numRuns: 500, seed: 4 },
  );
  expect(lifted).toBeGreaterThan(500);
});
