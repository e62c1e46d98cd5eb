import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ENDLESS, testEngine } from './engine-fixture.ts';

test('the engine tells what runs and what waits, in all and of one segment, and why it killed', async () => {
  await using at = await testEngine({ queryChildren: 1, slowChildren: 1 });
  at.make('s', 'create table t (a)');
  at.make('other', 'create table t (a)');
  await at.text({ sql: 'select 1' });
  expect([at.engine.load('s'), at.engine.stats()]).toMatchObject([
    { running: 0, waiting: 0 },
    { running: 0, waiting: 0, killsByReason: { deadline: 0, cancelled: 0 } },
  ]);
  // One process for quick queries and one for long ones: of four that do not end some wait, and none is lost from sight.
  const stop = new AbortController();
  const asked = Array.from({ length: 4 }, () => at.query({ sql: ENDLESS, deadlineMs: 60_000 }, stop.signal));
  const ended = Promise.allSettled(asked);
  const { running, waiting } = await eventually('some run and some wait', () => {
    const load = at.engine.load('s');
    expect(load.running + load.waiting).toBe(4);
    return load.running > 0 && load.waiting > 0 && load;
  });
  expect(at.engine.stats()).toMatchObject({ running, waiting });
  expect(at.engine.load('other')).toEqual({ running: 0, waiting: 0 });
  stop.abort();
  await ended;
  expect(at.engine.load('s')).toEqual({ running: 0, waiting: 0 });
  await expect(at.text({ sql: ENDLESS, deadlineMs: 100 })).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await eventually('both kinds of kill are counted', () => {
    const { kills, killsByReason } = at.engine.stats();
    const counted = Object.values(killsByReason).reduce((sum, count) => sum + count, 0);
    return counted === kills && (killsByReason['cancelled'] ?? 0) > 0 && (killsByReason['deadline'] ?? 0) > 0;
  });
});
