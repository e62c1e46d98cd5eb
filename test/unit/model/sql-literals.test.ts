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

interface Kept extends Disposable {
  /** Run by a statement of its own, and by the one that was kept for its template. */
  readonly answers: (sql: string) => { readonly plain: unknown[]; readonly kept: unknown[] };
  /** Whether its template, with the values that it has, is answered by one of the partial indexes. */
  readonly isIndexed: (sql: string) => boolean;
  readonly lifted: () => number;
  readonly templates: () => number;
}

/** A database whose indexes serve some values and not others, with one statement for each template, as a connection keeps them. */
function keptStatements(): Kept {
  const db = new Database(':memory:');
  db.exec(`create table t (i integer, t text collate nocase, n numeric, x);
    create index p on t (t) where i = 1;
    create index q on t (x) where n > 1;
    create index r on t (n) where t = 'a';
    create index e on t (i + 1)`);
  const insert = db.prepare('insert into t values (?, ?, ?, ?)');
  for (const i of [1, 2, 10, null]) for (const t of ['1', 'a', 'A', '10', null]) insert.run(i, t, t, i ?? t);
  const kept = new Map<string, Database.Statement>();
  let lifted = 0;
  return {
    answers: (sql) => {
      const { template, values } = liftLiterals(sql) ?? { template: sql, values: [] };
      lifted += values.length;
      const statement = kept.get(template) ?? db.prepare(template).raw();
      kept.set(template, statement);
      return { plain: db.prepare(sql).raw().all(), kept: statement.all(...values) };
    },
    isIndexed: (sql) => {
      const { template, values } = liftLiterals(sql) ?? { template: sql, values: [] };
      return JSON.stringify(db.prepare(`explain query plan ${template}`).all(...values)).includes('USING INDEX');
    },
    lifted: () => lifted,
    templates: () => kept.size,
    [Symbol.dispose]: () => {
      db.close();
    },
  };
}

test('a query answers the same with its values taken out, whatever values its statement ran with before', () => {
  using at = keptStatements();
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
  fc.assert(
    fc.property(where, (condition) => {
      const { plain, kept } = at.answers(`select rowid, * from t where ${condition} and 1=1 order by 1`);
      expect(kept).toEqual(plain);
    }),
    { numRuns: 1_000, seed: 4 },
  );
  expect(at.lifted()).toBeGreaterThan(1_000);
});

test('a partial index that serves one value is not used for another by the same statement', () => {
  using at = keptStatements();
  const of = (start: string, ...values: string[]): string[] => values.map((value) => start + value);
  const term = fc.constantFrom(
    ...of('i=', '1', '2'),
    ...of('n>', '0', '1', '2'),
    ...of('t=', "'a'", "'A'", "'1'"),
    ...of('x=', '1', '10', "'a'"),
    ...of('n<', '2', '20'),
  );
  // Few templates, each with many values in turn; all terms together, so that an index that fits one of them may be chosen.
  const where = fc.array(term, { minLength: 2, maxLength: 2 }).map((terms) => terms.join(' and '));
  let rows = 0;
  let indexed = 0;
  fc.assert(
    fc.property(where, (condition) => {
      const sql = `select rowid, i, t, n, x from t where ${condition} order by 1`;
      const { plain, kept } = at.answers(sql);
      expect(kept).toEqual(plain);
      if (at.isIndexed(sql)) indexed += 1;
      rows += plain.length;
    }),
    { numRuns: 2_000, seed: 4 },
  );
  expect(rows).toBeGreaterThan(1_000);
  expect(indexed).toBeGreaterThan(100);
  expect(at.templates()).toBeLessThan(150);
});
