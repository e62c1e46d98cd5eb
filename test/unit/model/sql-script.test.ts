import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitScript } from '../../../src/model/sql-script.ts';

const texts = (sql: string): string[] => splitScript(sql).map(({ text }) => text);

test('statements are cut at semicolons, and empty ones are left out', () => {
  expect(texts(' ;select 1;; select 2 ;\n;')).toEqual(['select 1', 'select 2']);
  expect(texts('')).toEqual([]);
  expect(texts('-- nothing')).toEqual([]);
  expect(texts('/* never closed ; ')).toEqual([]);
});

test('a semicolon inside a string, a quoted name or a comment cuts nothing', () => {
  for (const sql of [
    "select 'a;''b'",
    'select ";"',
    'select `;`',
    'select [;]',
    'select 1 /* ; */ + 2',
    'select 1 -- ;\n + 2',
    "select x'3b'",
  ]) {
    expect(texts(`${sql};select 2`)).toEqual([sql, 'select 2']);
  }
});

test('a trigger with a body is one statement, CASE … END inside or not', () => {
  const trigger = `create temp trigger t after insert on a begin
    update a set x = case when new.x = 1 then 2 else 3 end; delete from a; end`;
  expect(texts(`${trigger}; select 1`)).toEqual([trigger, 'select 1']);
  expect(texts(`explain query plan ${trigger}; select 1`)).toHaveLength(2);
});

test('each statement says where it starts and what its first word is', () => {
  const statements = splitScript('/* c */ insert into t values (1); "x"; explain select 1');
  expect(statements.map(({ start, keyword }) => ({ start, keyword }))).toEqual([
    { start: 8, keyword: 'INSERT' },
    { start: 34, keyword: '' },
    { start: 39, keyword: 'EXPLAIN' },
  ]);
});

test('parameters are counted as SQLite counts them', () => {
  const parameters = (sql: string): unknown => splitScript(sql)[0]?.parameters;
  expect(parameters('select ?, ?, :a, @b, $c, :a')).toEqual([null, null, 'a', 'b', 'c']);
  expect(parameters('select ?3, ?')).toEqual([null, null, '3', null]);
  expect(parameters('select \'?\', "?", [?] -- ?')).toEqual([]);
});

const PIECES = [
  'select 1',
  "insert into t values ('a;b')",
  'insert into t values ("x")',
  'update t set a = a + 1',
  'select `a`, [a] from t',
  "select x'3b'",
  'create trigger if not exists r after insert on t begin select 1; select case when 1 then 2 end; end',
  'select ?1, :x, ?',
  'select 1.5e-3, 0x1F, .5e+1, 1_000',
  'explain select 1',
  'values (1), (2)',
  "select a -> '$.x' from t",
  'select "a;", 2',
  'delete from t',
  'selec 1',
  "select 'open",
  'select 1 /* c ; */, 2',
  'select ; from',
  'select 1 -- c ;\n',
  'create table "end;" (a)',
  'select "begin"',
  'create trigger',
  'end',
  'begin',
  '/* ; */',
  '--;\n',
  '',
  ' ',
  '\n',
];

/** What SQLite itself makes of it: better-sqlite3 prepares the text only when it holds exactly one statement. */
function sqliteSays(db: Database.Database, sql: string): 'one' | 'none' | 'more' | 'error' {
  try {
    db.prepare(sql);
    return 'one';
  } catch (error) {
    if (!(error instanceof RangeError)) return 'error';
    return error.message.includes('no statements') ? 'none' : 'more';
  }
}

test('SQLite agrees on how many statements a script has', () => {
  const db = new Database(':memory:');
  db.exec('create table t (a, x)');
  const script = fc.array(fc.constantFrom(...PIECES), { maxLength: 4 }).map((pieces) => pieces.join(';'));
  fc.assert(
    fc.property(script, (sql) => {
      const split = splitScript(sql);
      const said = sqliteSays(db, sql);
      const expected = { one: [1, 1], none: [0, 0], more: [2, 99], error: [1, 99] }[said] as [number, number];
      expect(split.length).toBeGreaterThanOrEqual(expected[0]);
      expect(split.length).toBeLessThanOrEqual(expected[1]);
      for (const { text, start } of split) {
        expect(sql.startsWith(text, start)).toBe(true);
        expect(['one', 'error']).toContain(sqliteSays(db, text));
      }
    }),
    { numRuns: 2_000 },
  );
  db.close();
});

test('running the statements one by one does what running the script does', () => {
  const inserts = [
    "insert into t values ('a;''b')",
    'insert into t values (1) -- ; no\n',
    'insert into t select 2 /* ; */',
    "update t set a = a || ';'",
    'create trigger if not exists r after insert on t when new.a = 9 begin insert into t values (case 1 when 1 then 10 end); update t set a = 11 where a = 10; end',
    'insert into t values (9)',
    "delete from t where a = '1;'",
  ];
  const script = fc.array(fc.constantFrom(...inserts), { maxLength: 8 }).map((pieces) => pieces.join(' ;; '));
  fc.assert(
    fc.property(script, (sql) => {
      const [whole, split] = [new Database(':memory:'), new Database(':memory:')];
      for (const db of [whole, split]) db.exec('create table t (a)');
      whole.exec(sql);
      for (const { text } of splitScript(sql)) split.prepare(text).run();
      const rows = (db: Database.Database): unknown => db.prepare('select * from t order by rowid').raw().all();
      expect(rows(split)).toEqual(rows(whole));
      whole.close();
      split.close();
    }),
    { numRuns: 200 },
  );
});

test('any text at all is cut without an error, and nothing but blanks and semicolons is lost', () => {
  fc.assert(
    fc.property(
      fc.string({
        unit: fc.constantFrom(
          'a',
          ';',
          "'",
          '"',
          '`',
          '[',
          ']',
          '-',
          '/',
          '*',
          '\n',
          ' ',
          '?',
          ':',
          'é',
          '1',
          'x',
          '.',
        ),
      }),
      (sql) => {
        const split = splitScript(sql);
        let at = 0;
        for (const { text, start } of split) {
          expect(start).toBeGreaterThanOrEqual(at);
          expect(sql.slice(start, start + text.length)).toBe(text);
          at = start + text.length;
        }
      },
    ),
  );
});
