import Database from 'better-sqlite3';
import { describe, expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { isKnownPragma } from '../../../src/model/sql-pragmas.ts';
import { NOT_ONE_SELECT, parseQuery, parseScript, touchesTemporary } from '../../../src/model/sql-rules.ts';

function refused(run: () => unknown): TroughError {
  try {
    run();
  } catch (error) {
    if (error instanceof TroughError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a query', () => {
  test.each([
    'select 1',
    'select 1;;',
    '-- c\nselect 1; -- c',
    '/* c */ SELECT 1',
    'values (1)',
    'with a as (select 1) select * from a',
    'explain select 1',
    'explain query plan select 1',
    '(select 1)',
    'pragma table_info(t)',
    'PRAGMA main.user_version',
    'pragma "page_count"',
    "select 'a;b'",
    "select 'pragma_once'",
    "select * from pragma_table_info('t')",
    'select pragma_date from t',
  ])('is accepted: %s', (sql) => {
    expect(parseQuery(sql).text).not.toBe('');
  });

  test.each([
    '',
    ' \n',
    ';',
    '-- c',
    'select 1; select 2',
    'selec 1',
    'insert into t values (1)',
    'delete from t',
    'drop table t',
    'begin',
    'vacuum',
    "vacuum into 'x'",
    "attach 'x' as y",
    'pragma user_version = 7',
    'pragma user_version(7)',
    'pragma database_list',
    'pragma query_only = off',
    'pragma main . query_only(0)',
    'explain pragma query_only = off',
    'explain query plan pragma query_only = off',
    'explain delete from t',
    'pragma',
    'savepoint x',
    'release x',
    'analyze',
    'reindex',
    '[select] 1',
  ])('is not one that only reads: %s', (sql) => {
    expect(refused(() => parseQuery(sql))).toMatchObject({ code: 'SQL_NOT_A_SELECT', message: NOT_ONE_SELECT });
  });

  test.each([
    'select * from pragma_database_list',
    'select * from "PRAGMA_database_list"',
    "select * from 'pragma_database_list'",
    'select * from [pragma_journal_mode]',
    'select * from main.`pragma_temp_store_directory`',
    'with a as (select * from pragma_module_list) select * from a',
  ])('must not see what a PRAGMA tells of the machine: %s', (sql) => {
    expect(refused(() => parseQuery(sql)).code).toBe('SQL_REFUSED');
  });

  test.each([
    'select fts3_tokenizer(?)',
    "select FTS3_Tokenizer('simple', ?)",
    'select "fts3_tokenizer"(?)',
    'select [fts3_tokenizer] (?)',
    'with a(x) as (select `fts3_tokenizer`(?)) select * from a',
    'explain select fts3_tokenizer(?)',
  ])('must not call the function that reads and sets addresses: %s', (sql) => {
    expect(refused(() => parseQuery(sql))).toMatchObject({
      code: 'SQL_REFUSED',
      message: 'not authorized to use function: fts3_tokenizer',
    });
  });

  test('may name that function in a text or a comment', () => {
    expect(() => parseQuery("select 'fts3_tokenizer' -- fts3_tokenizer")).not.toThrow();
  });

  test('with a NUL character is refused in the words of the original', () => {
    expect(refused(() => parseQuery("select 'a\0b'"))).toMatchObject({
      code: 'SQL_INVALID',
      message: 'the query contains a null character',
    });
  });
});

describe('a script', () => {
  test.each([
    ['begin', 'cannot start a transaction within a transaction'],
    ['begin immediate', 'cannot start a transaction within a transaction'],
    ['commit', 'cannot commit - no transaction is active'],
    ['end transaction', 'cannot commit - no transaction is active'],
    ['rollback', 'cannot commit - no transaction is active'],
    ['vacuum', 'cannot VACUUM from within a transaction'],
    ["vacuum into 'x'", 'cannot VACUUM from within a transaction'],
    ["attach 'x' as y", 'cannot ATTACH database within transaction'],
    ['detach y', 'cannot DETACH database within transaction'],
    ['pragma journal_mode = wal', 'cannot change into wal mode from within a transaction'],
    ['pragma journal_mode(delete)', 'cannot change out of wal mode from within a transaction'],
    ['pragma application_id = 1', 'PRAGMA application_id is not allowed in a segment'],
    ['pragma main.writable_schema = on', 'PRAGMA writable_schema is not allowed in a segment'],
    ["insert into t values (fts3_tokenizer('simple', ?))", 'not authorized to use function: fts3_tokenizer'],
    ['explain pragma trusted_schema = 1', 'PRAGMA cannot be explained here'],
  ])('may not hold %s', (statement, message) => {
    const error = refused(() => parseScript(`create table a (b); /* c */ ${statement}; select 1`));
    expect(error).toMatchObject({ code: 'SQL_REFUSED', message, context: { statement: 2, offset: 28 } });
  });

  test.each([
    'savepoint p; release p',
    'savepoint p; rollback to p',
    'rollback transaction to savepoint p',
    'pragma user_version = 9',
    'pragma foreign_keys = on',
    'select 1',
    'explain select 1',
    ';',
    '-- x',
  ])('may hold %s', (sql) => {
    expect(() => parseScript(sql)).not.toThrow();
  });

  test('that names the temporary schema is known by it', () => {
    expect(
      parseScript('create temp table a (b); create table "temp".c (d); create table e (temperature)').map(
        touchesTemporary,
      ),
    ).toEqual([true, true, false]);
  });
});

test('every PRAGMA of this SQLite is either readable or known to be refused', () => {
  const db = new Database(':memory:');
  const names = db.prepare<[], string>('select name from pragma_pragma_list').pluck().all();
  expect(names.length).toBeGreaterThan(50);
  expect(names.filter((name) => !isKnownPragma(name))).toEqual([]);
  db.close();
});
