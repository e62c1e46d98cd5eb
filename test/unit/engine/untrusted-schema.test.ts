import { expect, test } from 'vitest';
import { testEngine } from './engine-fixture.ts';
import { stampedScript } from '../../support/stamped.ts';

/** What a writer may leave in a schema must not keep a reader, or a check, from opening the file. */
test.each([
  ['an index', "create index i on t (a regexp 'x')", 'non-deterministic functions prohibited in index expressions'],
  [
    'a partial index',
    "create index i on t (a) where a regexp 'x'",
    'non-deterministic functions prohibited in partial index',
  ],
  ['a generated column', 'alter table t add column g as (seedcrawledstatus(a))', 'generated columns'],
  [
    'a stored generated column',
    "create table u (a, g as (buildredirectarray(a, 1, 'R', '')) stored)",
    'generated columns',
  ],
])(
  "%s that needs the original's functions is refused as in the original, and the segment is read as before",
  async (_, sql, words) => {
    await using at = await testEngine();
    const schemaSql = "create table t (a); insert into t values ('x')";
    await using session = await at.engine.openWriter({ segment: 's', file: at.fileOf('s'), schemaSql });
    const [outcome] = await session.apply([stampedScript(sql)], 20_000);
    await session.commit();
    expect(outcome).toMatchObject({ ok: false, error: { message: expect.stringContaining(words) as string } });
    expect(await at.text({ sql: 'select a from t', live: true })).toBe('{"a":"x"}');
    await at.engine.verify(at.fileOf('s'));
  },
);

test.each([
  ['a check', "create table u (a check (a regexp 'x')); insert into u values ('x')"],
  ['a default', "create table u (a default (regexp('a', 'a'))); insert into u default values"],
  ['a trigger', "create trigger r after insert on t begin select regexp('a', 'a'); end; insert into t values ('y')"],
  ['a view', "create view v as select a regexp 'x' from t"],
])("%s may need the original's functions: the segment is read as before", async (_, sql) => {
  await using at = await testEngine();
  const schemaSql = "create table t (a); insert into t values ('x')";
  await using session = await at.engine.openWriter({ segment: 's', file: at.fileOf('s'), schemaSql });
  const [outcome] = await session.apply([stampedScript(sql)], 20_000);
  await session.commit();
  expect(outcome).toMatchObject({ ok: true });
  expect(await at.text({ sql: 'select a from t limit 1', live: true })).toBe('{"a":"x"}');
  await at.engine.verify(at.fileOf('s'));
});
