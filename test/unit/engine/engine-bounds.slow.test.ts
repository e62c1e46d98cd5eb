import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { tempDir } from '../../support/temp-dir.ts';
import { bodyOf, numbers, openFilesOf, streamOf, testEngine } from './engine-fixture.ts';
import { stampedScript } from '../../support/stamped.ts';

const MIB = 2 ** 20;
/** For a machine that is busy with other things. */
const PATIENCE_MS = 60_000;
vi.setConfig({ testTimeout: PATIENCE_MS });
const onLinux = test.runIf(process.platform === 'linux');

/** Each needs much more memory than 200 MiB, and less than a second to ask for it. */
const BOMBS: readonly (readonly [name: string, sql: string])[] = [
  ['one BLOB', "select length(zeroblob(400000000) || x'00')"],
  ['replace', `select length(replace(hex(zeroblob(1000000)), '0', hex(zeroblob(150))))`],
  ['printf', `select length(printf('%.*c', 400000000, 'x'))`],
  ['group_concat', `select length(group_concat(t)) from (${numbers(400_000, 1_000)})`],
  ['a JSON array', `select length(json_group_array(t)) from (${numbers(400_000, 1_000)})`],
  ['a text as a value', `select printf('%.*c', 250000000, 'x') as x`],
  ['many large values in one row', `select ${Array.from({ length: 40 }, () => 'hex(zeroblob(10000000))').join()}`],
];

/** Little for SQLite; but the list of two million numbers that it makes is too much for V8, which ends the process. */
const DEADLY = `select length(buildredirectarray('u', 200, 'a', '[' || replace(hex(zeroblob(1000000)), '0', '1,') || '1]'))`;

onLinux.each(BOMBS)('a query that eats memory ends with ENGINE_MEMORY: %s', async (_, sql) => {
  await using at = await testEngine({ queryChildren: 1, memoryBytes: 200 * MIB });
  at.make('s', 'create table t (a); insert into t values (1)');
  await expect(at.query({ sql, deadlineMs: PATIENCE_MS })).rejects.toMatchObject({
    code: 'ENGINE_MEMORY',
    kind: 'large',
  });
  expect(await at.text({ sql: 'select a from t' })).toBe('{"a":1}');
});

onLinux('queries beside those that eat memory are answered', async () => {
  await using at = await testEngine({ queryChildren: 2, memoryBytes: 200 * MIB });
  at.make('s', 'create table t (a); insert into t values (1)');
  const bombs = BOMBS.map(([, sql]) => at.query({ sql, deadlineMs: PATIENCE_MS }).catch((error: unknown) => error));
  const others = Array.from({ length: 100 }, () => at.text({ sql: 'select a from t', deadlineMs: PATIENCE_MS }));
  expect(new Set(await Promise.all(others))).toEqual(new Set(['{"a":1}']));
  for (const bomb of await Promise.all(bombs)) expect(bomb).toMatchObject({ code: 'ENGINE_MEMORY' });
});

onLinux(
  'a query under which processes die of memory says so, and those that waited behind it are answered',
  async () => {
    await using at = await testEngine({ queryChildren: 1, memoryBytes: 200 * MIB });
    at.make('s', 'create table t (a); insert into t values (1)');
    await at.text({ sql: 'select a from t' });
    const deadly = [1, 2].map((n) =>
      at.query({ sql: `${DEADLY} + ${String(n)}`, deadlineMs: PATIENCE_MS }).catch((error: unknown) => error),
    );
    const others = Array.from({ length: 20 }, () => at.text({ sql: 'select a from t', deadlineMs: PATIENCE_MS }));
    expect(new Set(await Promise.all(others))).toEqual(new Set(['{"a":1}']));
    for (const each of await Promise.all(deadly)) expect(each).toMatchObject({ code: 'ENGINE_MEMORY', kind: 'large' });
    expect(at.engine.stats().restarts).toBeLessThan(20);
  },
);

onLinux('a schema and a write that eat memory end with ENGINE_MEMORY, and the next ones go on', async () => {
  await using at = await testEngine({ memoryBytes: 200 * MIB });
  const bomb = "select length(replace(hex(zeroblob(1000000)), '0', hex(zeroblob(150))))";
  await expect(at.engine.checkSchema(`create table t as ${bomb}`)).rejects.toMatchObject({ code: 'ENGINE_MEMORY' });
  await using session = await at.engine.openWriter({
    segment: 'w',
    file: at.fileOf('w'),
    schemaSql: 'create table t (a)',
  });
  const [bad, good] = await session.apply(
    [stampedScript(`insert into t ${bomb}`), stampedScript('insert into t values (1)')],
    10_000,
  );
  await session.commit();
  expect(bad).toMatchObject({ ok: false, error: { code: 'ENGINE_MEMORY' } });
  expect(good).toMatchObject({ ok: true });
});

onLinux('a schema under which the process dies of memory is not tried again', async () => {
  await using at = await testEngine({ memoryBytes: 200 * MIB, schemaDeadlineMs: PATIENCE_MS });
  await expect(at.engine.checkSchema(`create table t as ${DEADLY}`)).rejects.toMatchObject({ code: 'ENGINE_MEMORY' });
  expect(at.engine.stats().restarts).toBe(1);
  await at.engine.checkSchema('create table t (a)');
});

onLinux('segments that are larger together than the memory are read one after the other, and again', async () => {
  await using at = await testEngine({ queryChildren: 1, memoryBytes: 100 * MIB });
  const segments = Array.from({ length: 12 }, (_, index) => `large-${String(index)}`);
  for (const segment of segments) at.make(segment, `create table t (x, b); insert into t ${numbers(30_000, 500)}`);
  for (const segment of [...segments, ...segments])
    expect(await at.text({ segment, sql: 'select sum(length(b)) as n from t' })).toBe('{"n":15000000}');
  expect(at.engine.stats()).toMatchObject({ restarts: 0, failures: 0 });
  expect(at.engine.stats().openConnections).toBeLessThan(5);
});

test('a value that SQLite itself refuses says so', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  await expect(at.query({ sql: 'select zeroblob(2000000000)' })).rejects.toMatchObject({ code: 'SQL_TOO_LARGE' });
});

onLinux(
  'a sort that needs more than the largest temporary file ends with an error that names the setting',
  async () => {
    await using at = await testEngine({ queryChildren: 1, temporaryBytes: 20 * MIB });
    at.make('s', '');
    const sort = (rows: number): string =>
      `select max(t) as m from (select t from (${numbers(rows, 500)}) order by t limit -1 offset 1)`;
    await expect(at.query({ sql: sort(100_000) })).rejects.toMatchObject({
      code: 'ENGINE_MEMORY',
      message: expect.stringContaining('engineTemp') as string,
    });
    expect(await at.text({ sql: 'select 1 as x' })).toBe('{"x":1}');
    expect(at.engine.stats().restarts).toBe(0);
  },
);

onLinux('temporary files lie in the directory for them, which is emptied at start', async () => {
  await using dir = await tempDir();
  const scratch = join(dir.path, 'scratch');
  await mkdir(scratch);
  writeFileSync(join(scratch, 'left-over'), '');
  await using at = await testEngine({ queryChildren: 1, scratch });
  expect(existsSync(join(scratch, 'left-over'))).toBe(false);
  at.make('s', '');
  const sorted = await at.query({ sql: `select t from (${numbers(100_000, 500)}) order by t desc`, format: 'ndjson' });
  const open = at.engine.childPids().flatMap(openFilesOf);
  expect(open.filter((path) => path.startsWith(scratch)).length).toBeGreaterThan(0);
  expect(readdirSync(scratch)).toEqual([]);
  await streamOf(sorted)[Symbol.asyncIterator]().return?.();
});

test('a value over the limit is an error; one at the limit is an answer', async () => {
  await using at = await testEngine({ queryChildren: 1, valueBytes: 1_000 });
  at.make(
    's',
    `create table t (id integer primary key, b text); insert into t select x, t from (${numbers(100, 10)});
    insert into t values (200, printf('%.*c', 1001, 'x'))`,
  );
  for (const value of [`printf('%.*c', 1001, 'x')`, 'zeroblob(1001)'])
    await expect(at.query({ sql: `select ${value} as v`, format: 'ndjson' })).rejects.toMatchObject({
      code: 'SQL_TOO_LARGE',
      context: { sizeBytes: 1_001, setting: 'valueLimit' },
    });
  expect(await at.text({ sql: `select printf('%.*c', 1000, 'x') as v`, format: 'ndjson' })).toHaveLength(1_009);
  // One of many rows, which SQLite would put together.
  await expect(at.query({ sql: 'select * from t', format: 'ndjson' })).rejects.toMatchObject({ code: 'SQL_TOO_LARGE' });
});

test('an answer over the limits ends early where it can say so, and is an error where it cannot', async () => {
  await using at = await testEngine({ queryChildren: 1, answerRows: 500, answerBytes: 20_000 });
  at.make(
    's',
    `create table n (x integer primary key); insert into n select x from (${numbers(10_000)});
    create table w (x integer primary key, t text); insert into w ${numbers(5_000, 100)}`,
  );
  for (const format of ['rows', 'ndjson'] as const) {
    const rows = await at.query({ sql: 'select x from n', format });
    await bodyOf(rows);
    expect(rows.summary()).toEqual({ rows: 500, truncated: true });
    const wide = await at.query({ sql: 'select t from w', format });
    expect((await bodyOf(wide)).length).toBeGreaterThanOrEqual(20_000);
    expect(wide.summary()).toMatchObject({ truncated: true });
    expect(wide.summary().rows).toBeLessThan(210);
  }
  for (const format of ['legacy', 'csv'] as const) {
    await expect(at.text({ sql: 'select x from n', format })).rejects.toMatchObject({
      code: 'SQL_TOO_LARGE',
      context: { setting: 'answerRowLimit' },
    });
    await expect(at.text({ sql: 'select t from w', format })).rejects.toMatchObject({
      code: 'SQL_TOO_LARGE',
      context: { setting: 'answerSizeLimit' },
    });
    expect(await at.text({ sql: 'select x from n limit 3', format })).toMatch(/3/);
    // Who asks for a part gets it.
    const part = await at.query({ sql: 'select x from n', format, maxRows: 10 });
    expect(part.summary()).toEqual({ rows: 10, truncated: true });
  }
});
