import { expect, test } from 'vitest';
import { type QueryRecord } from '../../../src/engine/engine.ts';
import { eventually } from '../../support/eventually.ts';
import { bodyOf, ENDLESS, numbers, streamOf, testEngine } from './engine-fixture.ts';

async function recordingEngine(options: Parameters<typeof testEngine>[0] = {}) {
  const records: QueryRecord[] = [];
  const at = await testEngine({ onQuery: (record) => records.push(record), ...options });
  at.make('s', 'create table t (a); insert into t values (1), (2)');
  return { ...at, records };
}

test('an answered query is told of once, with its times in order and what it gave', async () => {
  await using at = await recordingEngine();
  const text = await at.text({ sql: 'select a from t' });
  expect(at.records).toHaveLength(1);
  const [record] = at.records;
  expect(record).toMatchObject({ segment: 's', sql: 'select a from t', rows: 2, bytes: text.length });
  expect(record?.error).toBeUndefined();
  const { startedMs = -1, openMs = -1, firstMs = -1, totalMs = -1 } = record ?? {};
  expect(openMs).toBeGreaterThan(0);
  expect(startedMs).toBeGreaterThanOrEqual(0);
  expect(firstMs).toBeGreaterThanOrEqual(startedMs + openMs);
  expect(totalMs).toBeGreaterThanOrEqual(firstMs);
});

test('a long answer is told of when it has ended, with all its rows and bytes', async () => {
  await using at = await recordingEngine();
  const answer = await at.query({ sql: numbers(100_000, 20) });
  expect(at.records).toEqual([]);
  const text = await bodyOf(answer);
  expect(at.records).toHaveLength(1);
  const [record] = at.records;
  expect(record).toMatchObject({ rows: 100_000, bytes: text.length, error: undefined });
  expect(record?.totalMs).toBeGreaterThan(record?.firstMs ?? Infinity);
});

test.each([
  ['select nothing from t', 'SQL_INVALID'],
  ['delete from t', 'SQL_NOT_A_SELECT'],
])('a failed query is told of once, with its reason: %s', async (sql, error) => {
  await using at = await recordingEngine();
  await expect(at.text({ sql })).rejects.toMatchObject({ code: error });
  expect(at.records).toMatchObject([{ segment: 's', sql, rows: 0, bytes: 0, error, firstMs: undefined }]);
});

test('a query is told of once when it is killed, left in the middle, not wanted, or refused', async () => {
  await using at = await recordingEngine({ queryChildren: 1, mostQueued: 5 });
  await at.text({ sql: 'select 1' });
  at.records.length = 0;
  const killed = at.query({ sql: ENDLESS, deadlineMs: 100 });
  await expect(killed).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  const stream = await at.query({ sql: numbers(10_000_000) });
  for await (const chunk of streamOf(stream)) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await expect(at.query({ sql: 'select 1' }, AbortSignal.abort())).rejects.toMatchObject({ code: 'ENGINE_CANCELLED' });
  const flood = await Promise.allSettled(Array.from({ length: 40 }, () => at.text({ sql: 'select 2' })));
  await eventually('all are told of', () => at.records.length >= 43);
  expect(at.records).toHaveLength(43);
  const [first, second, third] = at.records;
  expect(first).toMatchObject({ sql: ENDLESS, error: 'ENGINE_DEADLINE', firstMs: undefined });
  expect(first?.totalMs).toBeGreaterThanOrEqual(95);
  expect(second).toMatchObject({ error: 'ENGINE_CANCELLED' });
  expect(second?.bytes).toBeGreaterThan(0);
  expect(third).toMatchObject({ error: 'ENGINE_CANCELLED' });
  expect(third?.startedMs).toBeUndefined();
  const refused = at.records.filter(({ error }) => error === 'ENGINE_POOL_FULL');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused).toHaveLength(flood.filter(({ status }) => status === 'rejected').length);
});
