import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StampedWrite, type WriteOutcome, type WriteSession } from '../../../src/engine/engine.ts';
import { ENDLESS, numbers, testEngine } from './engine-fixture.ts';
import { stamped, stampedScript as script } from '../../support/stamped.ts';

let at: Awaited<ReturnType<typeof testEngine>>;
let names = 0;
beforeAll(async () => {
  at = await testEngine({ schemaDeadlineMs: 1_500, writerChildren: 1 });
});
afterAll(() => at[Symbol.asyncDispose]());

const codes = (outcomes: readonly WriteOutcome[]): string[] =>
  outcomes.map((each) => (each.ok ? 'ok' : each.error.message));

/** A new segment, open for writing. */
async function segment(
  schemaSql = 'create table t (a unique)',
): Promise<{ name: string; session: WriteSession; rows: (sql: string) => Promise<string> }> {
  const name = `w${String((names += 1))}`;
  const session = await at.engine.openWriter({ segment: name, file: at.fileOf(name), schemaSql });
  return { name, session, rows: (sql) => at.text({ segment: name, live: true, sql, format: 'rows' }) };
}

async function write(session: WriteSession, ...writes: StampedWrite[]): Promise<string[]> {
  const outcomes = await session.apply(writes, 5_000);
  await session.commit();
  return codes(outcomes);
}

test('an existing file is opened as it is, whatever the schema', async () => {
  const { name, session } = await segment('create table t (a)');
  await write(session, script('insert into t values (1)'));
  await session[Symbol.asyncDispose]();
  const again = await at.engine.openWriter({ segment: name, file: at.fileOf(name), schemaSql: 'nonsense' });
  expect(await at.text({ segment: name, live: true, sql: 'select a from t' })).toBe('{"a":1}');
  await again[Symbol.asyncDispose]();
});

test('what is not committed is not seen, and rollback undoes it', async () => {
  const { session, rows } = await segment();
  await session.apply([script('insert into t values (1)')], 5_000);
  expect(await rows('select count(*) from t')).toBe('[0]');
  await session.rollback();
  await write(session, script('insert into t values (2)'));
  expect(await rows('select a from t')).toBe('[2]');
  await session[Symbol.asyncDispose]();
});

test('a failing member of a group is undone alone and wholly', async () => {
  const { session, rows } = await segment();
  const said = await write(
    session,
    script('insert into t values (1)'),
    script('insert into t values (2); insert into t values (1); insert into t values (3)'),
    script('insert into nosuch values (1)'),
    script('insert into t values (4)'),
  );
  expect(said).toEqual(['ok', 'UNIQUE constraint failed: t.a', 'no such table: nosuch', 'ok']);
  expect(await rows('select a from t order by a')).toBe('[1],\n[4]');
  await session[Symbol.asyncDispose]();
});

test('a member that makes SQLite roll everything back takes nothing with it', async () => {
  const { session, rows } = await segment(
    "create table t (a unique); create trigger r before insert on t when new.a = 'boom' begin select raise(rollback, 'blown'); end",
  );
  const said = await write(
    session,
    script('insert into t values (1)'),
    script('insert or rollback into t values (1)'),
    script('insert into t values (2)'),
    script("insert into t values ('boom')"),
    script('insert into t values (3)'),
  );
  expect(said).toEqual(['ok', 'UNIQUE constraint failed: t.a', 'ok', 'blown', 'ok']);
  expect(await rows('select a from t order by a')).toBe('[1],\n[2],\n[3]');
  await session[Symbol.asyncDispose]();
});

test.each([
  ['', 'No query provided.'],
  ['   \n', 'No query provided.'],
  [';', 'ok'],
  ['-- nothing', 'ok'],
  ['insert into t values (7) -- done', 'ok'],
  ['select 1', 'ok'],
  ['insert into t values (1) returning a', 'ok'],
  ['savepoint p; insert into t values (1); release p', 'ok'],
  ['savepoint p; insert into t values (1); rollback to p', 'ok'],
  ['pragma user_version = 9', 'ok'],
  ["insert into t select seedcrawledstatus(404) where 'abc' regexp 'b'", 'ok'],
  ['create temp table x (a); insert into x values (1); insert into t select a from x', 'ok'],
  ['begin; create table z (a)', 'cannot start a transaction within a transaction'],
  ['create table z (a); commit', 'cannot commit - no transaction is active'],
  ['release p', 'no such savepoint: p'],
  ['vacuum', 'cannot VACUUM from within a transaction'],
  ["attach 'x' as y", 'cannot ATTACH database within transaction'],
  ['pragma journal_mode = wal', 'cannot change into wal mode from within a transaction'],
  ["select load_extension('x')", 'not authorized'],
  ['insert into t valuess (1)', 'near "valuess": syntax error'],
  [
    'insert into t values (?)',
    'Incorrect number of bindings supplied. The current statement uses 1, and there are 0 supplied.',
  ],
  ["insert into t values ('a\0b')", 'the query contains a null character'],
])('the script %j: %s', async (sql, said) => {
  const { session } = await segment();
  expect(await write(session, script(sql))).toEqual([said]);
  await session[Symbol.asyncDispose]();
});

test('a temporary table ends with its request', async () => {
  const { session } = await segment();
  expect(
    await write(
      session,
      script('create temp table x (a); create temp view y as select * from x'),
      script('select * from x'),
    ),
  ).toEqual(['ok', 'no such table: x']);
  await session[Symbol.asyncDispose]();
});

test('statements with parameters tell their counts', async () => {
  const { session, rows } = await segment('create table t (id integer primary key, a)');
  const [first, second] = await session.apply(
    [
      stamped({
        kind: 'statements',
        statements: [
          { sql: 'insert into t values (?, ?)', params: [9007199254740993n, 1.5] },
          { sql: 'insert into t (a) values (:a), (:b) returning id', params: { a: Uint8Array.of(255), b: null } },
          { sql: 'update t set a = 0' },
          { sql: 'select * from t' },
        ],
      }),
      stamped({ kind: 'statements', statements: [{ sql: 'select 1; select 2' }] }),
    ],
    5_000,
  );
  await session.commit();
  expect(first).toMatchObject({
    ok: true,
    results: [
      { changes: 1, lastInsertRowid: 9007199254740993n },
      { changes: 2, lastInsertRowid: 9007199254740995n },
      { changes: 3 },
      { changes: 0 },
    ],
  });
  expect(second).toMatchObject({ ok: false, error: { code: 'SQL_INVALID' } });
  expect(await rows('select count(*) from t where a = 0')).toBe('[3]');
  await session[Symbol.asyncDispose]();
});

test('a write past its deadline is killed; nothing of it stays, and the other sessions know', async () => {
  const [slow, other] = [await segment(), await segment()];
  await slow.session.apply([script('insert into t values (1)')], 5_000);
  await slow.session.rollback();
  await expect(
    slow.session.apply([script(`insert into t values (1); insert into t ${ENDLESS}`)], 300),
  ).rejects.toMatchObject({
    code: 'ENGINE_DEADLINE',
    context: { deadlineMs: 300, segment: slow.name },
  });
  await Promise.all([slow.session.lost, other.session.lost]);
  await expect(other.session.commit()).rejects.toMatchObject({ code: 'ENGINE_CHILD_DIED' });
  const again = await at.engine.openWriter({ segment: slow.name, file: at.fileOf(slow.name) });
  expect(await write(again, script('insert into t values (1)'))).toEqual(['ok']);
  expect(await slow.rows('select a from t')).toBe('[1]');
  await again[Symbol.asyncDispose]();
});

test('a segment is open for writing once', async () => {
  const { name, session } = await segment();
  await expect(at.engine.openWriter({ segment: name, file: at.fileOf(name) })).rejects.toMatchObject({
    code: 'SEGMENT_LEASED',
  });
  await session[Symbol.asyncDispose]();
  await expect(session.commit()).rejects.toMatchObject({ code: 'INTERNAL' });
});

test('a snapshot is one moment of the segment, though writes go on', async () => {
  const { session } = await segment(`create table t (a, b); insert into t ${numbers(60_000, 200)}`);
  let written = 0;
  const copying = { isDone: false };
  const writing = (async () => {
    // Both rows of a pair are in, or none; the number of rows tells the moment.
    while (!copying.isDone) {
      written += 2;
      await write(
        session,
        script(`insert into t values (-1, ${String(written)}); insert into t values (-1, ${String(written)})`),
      );
    }
  })();
  const to = `${at.path}/snapshot.sqlite`;
  const { sizeBytes, sha256 } = await session.snapshot(to);
  copying.isDone = true;
  await writing;
  expect(written).toBeGreaterThan(4);
  const bytes = readFileSync(to);
  expect(bytes.length).toBe(sizeBytes);
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
  expect([bytes[18], bytes[19], existsSync(`${to}-wal`)]).toEqual([1, 1, false]);
  const db = new Database(to, { readonly: true });
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(Number(db.prepare('select count(*) from t').pluck().get()) % 2).toBe(0);
  db.close();
  await session[Symbol.asyncDispose]();
});

test('a snapshot that is cancelled leaves nothing', async () => {
  const { session } = await segment(`create table t (a, b); insert into t ${numbers(60_000, 200)}`);
  const abort = new AbortController();
  const to = `${at.path}/cancelled.sqlite`;
  const copying = session.snapshot(to, { signal: abort.signal });
  abort.abort();
  await expect(copying).rejects.toMatchObject({ code: 'ENGINE_CANCELLED' });
  expect(await write(session, script('insert into t values (0, 0)'))).toEqual(['ok']);
  expect(readdirSync(at.path).filter((name) => name.startsWith('cancelled'))).toEqual([]);
  await session[Symbol.asyncDispose]();
});

test.each([
  ['create create', 'near "create": syntax error', undefined],
  ['create table x (', 'incomplete input', undefined],
  ['create table x (a); create table x (b)', 'table x already exists', undefined],
  ['create table x (a unique); insert into x values (1), (1)', 'UNIQUE constraint failed: x.a', true],
  ["attach 'x' as y", 'cannot ATTACH database within transaction', undefined],
  [`create table x (a); insert into x ${ENDLESS}`, 'the schema ran longer than 1500 ms', undefined],
])('the schema %s is invalid', async (sql, message, constraint) => {
  await expect(at.engine.checkSchema(sql)).rejects.toMatchObject({
    code: 'SCHEMA_INVALID',
    message,
    context: constraint === true ? { constraint } : {},
  });
});

test('a sound file is verified, a damaged one found', async () => {
  const file = at.make('v', `create table t (a, b); insert into t ${numbers(2_000, 100)}; create index i on t (b)`);
  await at.engine.verify(file);
  const db = new Database(file);
  db.unsafeMode(true);
  db.exec("pragma writable_schema = on; delete from sqlite_schema where name = 'i'");
  db.close();
  await expect(at.engine.verify(file)).rejects.toMatchObject({ code: 'SEGMENT_DAMAGED' });
  await expect(at.engine.verify(`${file}.none`)).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
});

test('a local database runs each migration once, and its transactions wholly or not at all', async () => {
  const file = `${at.path}/local/catalogue.sqlite`;
  const first = await at.engine.openDatabase(file, ['create table a (x unique)']);
  await first.run([
    { sql: 'insert into a values (?)', params: [1] },
    { sql: 'insert into a values (?)', params: [9007199254740993n] },
  ]);
  await expect(
    first.run([{ sql: 'insert into a values (2)' }, { sql: 'insert into a values (1)' }]),
  ).rejects.toMatchObject({ code: 'SQL_FAILED' });
  await first[Symbol.asyncDispose]();
  const second = await at.engine.openDatabase(file, ['create table a (x unique)', 'alter table a add column y']);
  expect(await second.all('select * from a where x > :least', { least: 0 })).toEqual([
    [1, null],
    [9007199254740993n, null],
  ]);
  await second[Symbol.asyncDispose]();
  await expect(at.engine.openDatabase(file, [])).rejects.toMatchObject({ code: 'DATA_DIRECTORY_UNUSABLE' });
});

test('a statement of a local database runs once for each of its rows, all in one transaction', async () => {
  const database = await at.engine.openDatabase(`${at.path}/local/rows.sqlite`, ['create table a (x unique, y)']);
  const sql = 'insert into a values (?, unhex(?))';
  const rows = Array.from({ length: 1_000 }, (_, index) => [index, index === 999 ? null : 'ab']);
  await database.run([{ sql, rows }]);
  await database.run([{ sql, rows: [] }]);
  expect(await database.all('select count(*), max(x), count(y), typeof(min(x)) from a')).toEqual([
    [1_000, 999, 999, 'integer'],
  ]);
  const again = [
    [5_000, null],
    [5, null],
  ];
  await expect(database.run([{ sql, rows: again }])).rejects.toMatchObject({ code: 'SQL_FAILED' });
  expect(await database.all('select count(*) from a')).toEqual([[1_000]]);
  await database[Symbol.asyncDispose]();
});
