import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { parseScript } from '../../../src/model/sql-rules.ts';
import { splitScript } from '../../../src/model/sql-script.ts';

/** Between two tokens SQLite allows any of these. */
const GAPS = [' ', '\n', '\t', ' /* ; end; */ ', ' -- ; end;\n', ' /**/ ', '\r\n', "/*'*/", '--"\n', '/* begin */'];
const VALUES = [
  "';'",
  "'; end;'",
  "''''",
  '"a"',
  '[a]',
  '`a`',
  "x'3b'",
  '1.5e-3',
  'null',
  "'--'",
  "'/*'",
  '"end;"',
  'case a when 1 then 2 end',
];
const gap = fc.constantFrom(...GAPS);
const value = fc.constantFrom(...VALUES);

/** The words, each with something of its own behind it. `~` is one of the values. */
function spelt(words: string): fc.Arbitrary<string> {
  const parts = words.split(' ').map((word) => fc.tuple(word === '~' ? value : fc.constant(word), gap));
  return fc.tuple(...parts).map((tokens) => tokens.flat().join(''));
}

const BODY = [
  'insert into log values ( ~ )',
  'update t set a = ~ where a = ~',
  'delete from t where a = ~',
  'select ~ , ~',
  'select case a when ~ then ~ else ~ end from t',
];
const HEADS = [
  'create trigger # after insert on t begin',
  'CREATE TRIGGER if not exists # before update of a on t for each row when new . a = ~ BEGIN',
  'create temp trigger # after delete on main . t begin',
  'create Temporary trigger "#" after insert on t when ( case when 1 then 1 end ) begin',
];
const body = fc.constantFrom(...BODY).chain(spelt);
const trigger = fc
  .tuple(fc.constantFrom(...HEADS).chain(spelt), fc.array(body, { minLength: 1, maxLength: 3 }), spelt('end'))
  .map(([head, statements, end]) => `${head}${statements.map((statement) => `${statement};`).join('')}${end}`);
const plain = fc
  .constantFrom(
    ...BODY,
    'create table if not exists "end" ( "begin" , [;] )',
    'create view if not exists v as select ~ as a',
  )
  .chain(spelt);
const script = fc
  .array(fc.tuple(fc.oneof(plain, trigger), gap, fc.constantFrom(';', ';;', '; ;')), { minLength: 1, maxLength: 6 })
  .map((parts) =>
    parts.map(([text, space, end], index) => `${space}${text.replaceAll('#', `r${String(index)}`)}${end}`).join(''),
  );

const COLUMNS = 'create table t (a, "end;", "a;"); create table log (a); insert into t (a) values (1)';

/** SQLite keeps the comments behind the last word of a view or a trigger; they are no part of a statement here. */
function contentOf(db: Database.Database): unknown[] {
  const all = (sql: string): unknown[][] => db.prepare<unknown[], unknown[]>(sql).raw().all();
  const schema = [...all('select name, sql from sqlite_schema'), ...all('select name, sql from sqlite_temp_schema')];
  const written = schema.map(([name, sql]) => [name, splitScript(String(sql))[0]?.text]);
  return [written, all('select * from t'), all('select * from log')];
}

/** What came of it, and SQLite's words when it stopped. */
function outcomeOf(run: (db: Database.Database) => void): unknown[] {
  const db = new Database(':memory:');
  try {
    db.exec(COLUMNS);
    let said = 'ok';
    try {
      run(db);
    } catch (error) {
      said = (error as Error).message;
    }
    return [said, ...contentOf(db)];
  } finally {
    db.close();
  }
}

test('cut into its statements a script does what SQLite does with it in one piece: strings, comments, names, triggers', () => {
  fc.assert(
    fc.property(script, (sql) => {
      const whole = outcomeOf((db) => db.exec(sql));
      const cut = outcomeOf((db) => {
        for (const { text } of splitScript(sql)) run(db, text);
      });
      expect(cut).toEqual(whole);
    }),
    { numRuns: 400 },
  );
}, 60_000);

function run(db: Database.Database, text: string): void {
  const statement = db.prepare(text);
  if (statement.reader) statement.all();
  else statement.run();
}

test('one statement that may not run stops the script before any, wherever it stands, and is named with its place', () => {
  const forbidden = fc.constantFrom(
    ...[
      ['begin', 'BEGIN'],
      ['COMMIT', 'COMMIT'],
      ['end', 'END'],
      ['vacuum', 'VACUUM'],
      ["attach ';' as x", 'ATTACH'],
    ],
    ...[
      ['pragma journal_mode = delete', 'PRAGMA'],
      ['rollback', 'ROLLBACK'],
      ['explain pragma user_version', 'EXPLAIN'],
    ],
  );
  const around = fc.array(fc.oneof(plain, trigger), { maxLength: 4 });
  fc.assert(
    fc.property(around, forbidden, gap, around, (before, [text = '', name], space, after) => {
      const head = before.map((each) => `${each};`).join('');
      let thrown: unknown;
      try {
        parseScript(`${head}${space}${text};${after.join(';')}`);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(TroughError);
      const offset = head.length + space.length;
      expect(thrown).toMatchObject({ code: 'SQL_REFUSED', context: { statement: before.length + 1, name, offset } });
    }),
    { numRuns: 300 },
  );
}, 60_000);
