import { expect, test } from 'vitest';
import { testEngine } from './engine-fixture.ts';

/** The check of an FTS5 table compares it with its content, here a view without end. */
const ENDLESS_CHECK = `create table t (a); insert into t values (1);
  create view v as with recursive c(x) as (select 1 union all select x + 1 from c) select x as id, x as a from c;
  create virtual table f using fts5(a, content='v', content_rowid='id')`;

test('a file whose check does not end is damaged, and holds up the check of no other file for longer', async () => {
  await using at = await testEngine({ leastCheckMs: 1_000 });
  at.make('endless', ENDLESS_CHECK);
  at.make('sound', 'create table t (a); insert into t values (1)');
  const endless = at.engine.verify(at.fileOf('endless'));
  const sound = at.engine.verify(at.fileOf('sound'));
  await expect(endless).rejects.toMatchObject({ code: 'SEGMENT_DAMAGED', message: 'its check does not end' });
  await sound;
  expect(await at.text({ segment: 'endless', sql: 'select count(*) as n from t' })).toBe('{"n":1}');
});
