import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ENDLESS, processorTicks, testEngine } from './engine-fixture.ts';

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
  const ticks = (): number => at.engine.childPids().reduce((sum, pid) => sum + processorTicks(pid), 0);
  const before = ticks();
  await eventually('one of them has begun', () => ticks() > before + 10);
  stop.abort();
  await ended;
  expect(at.engine.load('s')).toEqual({ running: 0, waiting: 0 });
  const kills = (): Readonly<Record<string, number>> => at.engine.stats().killsByReason;
  await eventually(
    'what nobody wants any more is killed',
    () => (kills()['cancelled'] ?? 0) + (kills()['unwanted'] ?? 0) > 0,
  );
  await expect(at.text({ sql: ENDLESS, deadlineMs: 3_000 })).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await eventually('what is late is killed', () => (kills()['deadline'] ?? 0) > 0);
  expect(Object.values(kills()).reduce((sum, count) => sum + count, 0)).toBe(at.engine.stats().kills);
});
