import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type WriteSession } from '../../../src/engine/engine.ts';
import { stampedScript as script } from '../../support/stamped.ts';
import { ENDLESS, numbers, testEngine } from './engine-fixture.ts';

let at: Awaited<ReturnType<typeof testEngine>>;
let names = 0;
beforeAll(async () => {
  at = await testEngine({ schemaDeadlineMs: 1_500 });
});
afterAll(() => at[Symbol.asyncDispose]());

/** A new segment, open for writing. */
async function segment(
  schemaSql: string,
): Promise<{ name: string; session: WriteSession; rows: (sql: string) => Promise<string> }> {
  const name = `w${String((names += 1))}`;
  const session = await at.engine.openWriter({ segment: name, file: at.fileOf(name), schemaSql });
  return { name, session, rows: (sql) => at.text({ segment: name, live: true, sql, format: 'rows' }) };
}

async function write(session: WriteSession, sql: string): Promise<void> {
  const [outcome] = await session.apply([script(sql)], 5_000);
  expect(outcome?.ok).toBe(true);
  await session.commit();
}

test('a new segment is made from its schema, and a session reads its own commits at once', async () => {
  const { session, rows } = await segment("create table t (a); insert into t values ('made')");
  expect(session.sizeBytes).toBeGreaterThan(0);
  await write(session, 'insert into t values (2)');
  expect(await rows('select a from t')).toBe('["made"],\n[2]');
  await session[Symbol.asyncDispose]();
});

test('a schema that fails leaves no file', async () => {
  const file = at.fileOf('failed/x');
  await expect(
    at.engine.openWriter({ segment: 'x', file, schemaSql: 'create table t (a); create create' }),
  ).rejects.toMatchObject({
    code: 'SCHEMA_INVALID',
    message: 'near "create": syntax error',
  });
  expect(existsSync(dirname(file))).toBe(false);
});

test('a schema without end is stopped, and leaves nothing either', async () => {
  const file = at.fileOf('endless/x');
  const schemaSql = `create table t (a, b); insert into t ${numbers(100_000, 100)}; insert into t select *, 1 from (${ENDLESS})`;
  await expect(at.engine.openWriter({ segment: 'x', file, schemaSql })).rejects.toMatchObject({
    code: 'SCHEMA_INVALID',
  });
  expect(existsSync(dirname(file))).toBe(false);
});

test('a schema may be empty, and may use the functions of the original', async () => {
  await at.engine.checkSchema('');
  await at.engine.checkSchema("create table x (a check (a regexp '^b')); insert into x values ('b')");
});

test('a segment that nobody has written to takes no connection, and answers', async () => {
  const { name, session, rows } = await segment('create table t (a); insert into t values (1)');
  expect(readdirSync(dirname(at.fileOf(name))).filter((each) => each.startsWith(`${name}.`) || each === name)).toEqual([
    basename(at.fileOf(name)),
  ]);
  expect(await rows('select a from t')).toBe('[1]');
  await session[Symbol.asyncDispose]();
});

test('more segments than connections: each keeps its writes and its place in a transaction', async () => {
  await using few = await testEngine({ openFiles: 2, writerChildren: 1 });
  const names = ['a', 'b', 'c', 'd'];
  const sessions = await Promise.all(
    names.map((name) =>
      few.engine.openWriter({ segment: name, file: few.fileOf(name), schemaSql: 'create table t (a)' }),
    ),
  );
  const [first] = sessions;
  await first?.apply([script('insert into t values (0)')], 5_000);
  for (const round of [1, 2, 3]) {
    for (const session of sessions.slice(1)) await write(session, `insert into t values (${String(round)})`);
  }
  await first?.commit();
  for (const name of names) {
    const expected = name === 'a' ? '[0]' : '[1],\n[2],\n[3]';
    expect(await few.text({ segment: name, live: true, sql: 'select a from t', format: 'rows' })).toBe(expected);
  }
  await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
});

test('a schema that asks for the time or for chance is run for each segment, any other once', async () => {
  const schemaSql = 'create table t (a); insert into t values (random()), (current_timestamp)';
  const contents: string[] = [];
  for (const name of ['chance1', 'chance2']) {
    await using session = await at.engine.openWriter({ segment: name, file: at.fileOf(name), schemaSql });
    expect(session.sizeBytes).toBeGreaterThan(0);
    contents.push(await at.text({ segment: name, live: true, sql: 'select a from t', format: 'rows' }));
  }
  expect(contents[0]).not.toBe(contents[1]);
});

test.each(['', 'create table t (a)'])('a new segment has its mark from the beginning: %j', async (schemaSql) => {
  const name = `marked${String((names += 1))}`;
  const file = at.fileOf(name);
  const session = await at.engine.openWriter({ segment: name, file, schemaSql, mark: 2 ** 32 + 9 });
  expect([session.applicationId, await session.applied()]).toEqual([0, 9]);
  await write(session, 'create table more (a)');
  await session[Symbol.asyncDispose]();
  const again = await at.engine.openWriter({ segment: name, file });
  expect([again.applicationId, await again.applied()]).toEqual([undefined, 9]);
  await again[Symbol.asyncDispose]();
});
