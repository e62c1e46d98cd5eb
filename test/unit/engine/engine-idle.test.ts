import { getPriority } from 'node:os';
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

test('processes that check files and run schemas end when they have rested, and come again with the next call', async () => {
  await using at = await testEngine({ queryChildren: 1, startChildren: 1, serviceIdleMs: 2_000 });
  const file = at.make('s', 'create table t (a)');
  await at.text({ sql: 'select 1 as a' });
  const resting = at.engine.stats().children;
  const [query] = at.engine.childPids();
  for (let again = 0; again < 2; again += 1) {
    await Promise.all([at.engine.verify(file), at.engine.checkSchema('create table t (a)')]);
    const pids = at.engine.childPids();
    expect(pids).toHaveLength(resting + 2);
    await eventually('they have ended', () => at.engine.stats().children === resting);
    await eventually('and are gone', () => pids.filter((pid) => pid !== query).every((pid) => !isThere(pid)));
  }
  expect(at.engine.stats()).toMatchObject({ kills: 0, restarts: 0 });
});

test('a process that checks files gives way to others', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const before = new Set(at.engine.childPids());
  await at.engine.verify(at.make('s', 'create table t (a)'));
  const [checker = 0] = at.engine.childPids().filter((pid) => !before.has(pid));
  expect(getPriority(checker)).toBeGreaterThan(getPriority());
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
