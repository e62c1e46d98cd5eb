import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ENDLESS, testEngine } from './engine-fixture.ts';

test('query processes that are not there from the start come when several queries come at a time', async () => {
  await using at = await testEngine({ queryChildren: 3, startChildren: 1 });
  at.make('s', 'create table t (a); insert into t values (1)');
  for (const segment of ['s', 'r', 'q', 'p'])
    expect(await at.text({ segment, file: at.fileOf('s'), sql: 'select a from t' })).toBe('{"a":1}');
  expect(at.engine.stats().children).toBe(1);
  const abort = new AbortController();
  const endless = at.query({ sql: ENDLESS, deadlineMs: 60_000 }, abort.signal).catch((error: unknown) => error);
  expect(await at.text({ sql: 'select a from t' })).toBe('{"a":1}');
  abort.abort();
  expect(await endless).toMatchObject({ code: 'ENGINE_CANCELLED' });
  await Promise.all(Array.from({ length: 50 }, () => at.text({ sql: 'select a from t' })));
  await eventually('all are there', () => at.engine.stats().children >= 3);
});
