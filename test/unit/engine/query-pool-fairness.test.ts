import { expect, test } from 'vitest';
import { type ErrorCode, TroughError } from '../../../src/errors.ts';
import { Suspects } from '../../../src/engine/suspects.ts';
import { isAlive } from '../../support/process-tree.ts';
import { eventually } from '../../support/eventually.ts';
import { ENDLESS, numbers, testEngine } from './engine-fixture.ts';
import { stampedScript } from '../../support/stamped.ts';

/** Some milliseconds of work, a little more than the next one with another number. */
function work(number: number): string {
  return `select count(*) as n, ${String(number)} as i from (${numbers(5_000)})`;
}

async function codeOf(answer: Promise<unknown>): Promise<ErrorCode | 'ok'> {
  return answer.then(
    () => 'ok',
    (error: unknown) => TroughError.from(error).code,
  );
}

test('a segment of which little is asked does not wait behind one of which much is asked', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('hot', '');
  at.make('mild', '');
  await at.text({ segment: 'hot', sql: 'select 1' });
  let answered = 0;
  const flood = Array.from({ length: 300 }, async (_, index) => {
    await at.text({ segment: 'hot', sql: work(index), deadlineMs: 60_000 });
    answered += 1;
  });
  for (let turn = 0; turn < 3; turn += 1) {
    const before = answered;
    await at.text({ segment: 'mild', sql: 'select 1 as x' });
    // What a child has before it, and one more segment's turn: not the queue.
    expect(answered - before).toBeLessThan(60);
  }
  expect(answered).toBeLessThan(250);
  await Promise.all(flood);
});

test('more waits of one segment than it may have are refused at once, and another segment is not', async () => {
  await using at = await testEngine({ queryChildren: 1, mostQueuedOfSegment: 3 });
  at.make('hot', '');
  at.make('mild', '');
  await at.text({ segment: 'hot', sql: 'select 1' });
  const flood = Array.from({ length: 40 }, (_, index) => codeOf(at.query({ segment: 'hot', sql: work(index) })));
  const mild = codeOf(at.query({ segment: 'mild', sql: 'select 1' }));
  const codes = await Promise.all(flood);
  expect(new Set(codes)).toEqual(new Set(['ok', 'SEGMENT_QUEUE_FULL']));
  expect(codes.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(4);
  expect(await mild).toBe('ok');
  expect(at.engine.load('hot')).toEqual({ running: 0, waiting: 0 });
});

test('what waits is bounded in bytes too, of one segment to half of them, and the values of parameters count', async () => {
  await using at = await testEngine({ queryChildren: 1, mostQueuedBytes: 400_000 });
  for (const segment of ['hot', 'mild']) at.make(segment, '');
  await at.text({ segment: 'hot', sql: 'select 1' });
  const long = (index: number): string => `${work(index)} -- ${'x'.repeat(50_000)}`;
  const flood = Array.from({ length: 30 }, (_, index) => codeOf(at.query({ segment: 'hot', sql: long(index) })));
  const value = 'x'.repeat(350_000);
  const mild = codeOf(at.query({ segment: 'mild', sql: 'select ? as v', params: [value], format: 'rows' }));
  const more = codeOf(at.query({ segment: 'mild', sql: 'select 2' }));
  const codes = await Promise.all(flood);
  expect(new Set(codes)).toEqual(new Set(['ok', 'SEGMENT_QUEUE_FULL']));
  // What a child has before it, and those of which the last one passes the half.
  const taken = codes.filter((code) => code === 'ok').length;
  expect(taken).toBeGreaterThanOrEqual(4);
  expect(taken).toBeLessThan(24);
  expect([await mild, await more]).toEqual(['ok', 'ENGINE_POOL_FULL']);
  expect(await codeOf(at.query({ segment: 'hot', sql: long(1) }))).toBe('ok');
});

test('one segment does not fill the queue for long queries', async () => {
  await using at = await testEngine({ queryChildren: 1, slowChildren: 1, mostSlowQueued: 4 });
  for (const segment of ['s', 'other']) at.make(segment, '');
  await at.text({ sql: 'select 1' });
  for (const segment of ['s', 'other'])
    await expect(at.query({ segment, sql: ENDLESS, deadlineMs: 1_500 })).rejects.toMatchObject({
      code: 'ENGINE_DEADLINE',
    });
  const ask = (segment: string, count: number): Promise<string>[] =>
    Array.from({ length: count }, () => codeOf(at.query({ segment, sql: ENDLESS, deadlineMs: 1_500 })));
  // One of them runs, or will as soon as there is a process for it.
  const own = ask('s', 4);
  const others = ask('other', 4);
  expect(await Promise.race(own.slice(3))).toBe('SEGMENT_QUEUE_FULL');
  const codes = [await Promise.all(own), await Promise.all(others)];
  for (const each of codes) expect(each.filter((code) => code === 'ENGINE_DEADLINE').length).toBeGreaterThanOrEqual(2);
  expect(codes.flat().filter((code) => code !== 'ENGINE_DEADLINE').length).toBeGreaterThanOrEqual(2);
});

test('a segment has no more queries before the processes than it may', async () => {
  await using at = await testEngine({ queryChildren: 2, mostRunningOfSegment: 1 });
  at.make('hot', '');
  await at.text({ segment: 'hot', sql: 'select 1' });
  const flood = Array.from({ length: 20 }, (_, index) => at.text({ segment: 'hot', sql: work(index) }));
  let most = 0;
  await eventually('all are answered', () => {
    const { running, waiting } = at.engine.load('hot');
    most = Math.max(most, running);
    return running + waiting === 0;
  });
  expect(most).toBe(1);
  expect(new Set(await Promise.all(flood)).size).toBe(20);
});

test('queries that are known to run long wait for each other only, as many as may, and their processes end when they rest', async () => {
  await using at = await testEngine({ queryChildren: 1, slowChildren: 1, mostSlowQueued: 4, slowIdleMs: 200 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const [quick = 0] = at.engine.childPids();
  await expect(at.query({ sql: ENDLESS, deadlineMs: 1_500 })).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  const pids = at.engine.childPids();
  const four = Array.from({ length: 4 }, () => codeOf(at.query({ sql: ENDLESS, deadlineMs: 1_500 })));
  expect(await Promise.race(four.slice(2))).toBe('SEGMENT_QUEUE_FULL');
  for (let turn = 0; turn < 20; turn += 1) expect(await at.text({ sql: 'select 1 as x' })).toBe('{"x":1}');
  expect(at.engine.load('s').running + at.engine.load('s').waiting).toBeGreaterThan(0);
  expect((await Promise.all(four)).sort()).toEqual([
    'ENGINE_DEADLINE',
    'ENGINE_DEADLINE',
    'SEGMENT_QUEUE_FULL',
    'SEGMENT_QUEUE_FULL',
  ]);
  // The first child was made a slow one when its query turned out to be long; it died with it, and another took its place.
  expect(pids).not.toContain(quick);
  await eventually('only the quick one is left', () => at.engine.stats().children === 1, 5_000);
  expect(isAlive(quick)).toBe(false);
});

test('a query that was long once and is quick now goes back among the quick ones', async () => {
  await using at = await testEngine({ queryChildren: 1, slowChildren: 1, slowIdleMs: 200 });
  const file = at.make('s', `create table t as ${numbers(3)}`);
  const sql = 'select count(*) as n from t a, t b, t c, t d, t e, t f, t g, t h';
  expect(await at.text({ sql })).toBe('{"n":6561}');
  const session = await at.engine.openWriter({ segment: 's', file });
  await session.apply([stampedScript(`insert into t ${numbers(40)}`)], 5_000);
  await session.commit();
  const live = { sql, live: true, deadlineMs: 600 };
  await expect(at.text(live)).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await session.apply([stampedScript('delete from t where x > 3; delete from t where rowid > 3')], 5_000);
  await session.commit();
  expect(await at.text({ ...live, deadlineMs: 10_000 })).toBe('{"n":6561}');
  await eventually('the slow child rests', () => at.engine.stats().children === 2, 5_000);
  // The quick child and the writer: none was started for it. On a machine that is busy with other things one may be taken for long again.
  await eventually('it runs on the quick one', async () => {
    for (let turn = 0; turn < 5; turn += 1) expect(await at.text({ ...live, deadlineMs: 10_000 })).toBe('{"n":6561}');
    return at.engine.stats().children === 2;
  });
  await session[Symbol.asyncDispose]();
});

test('a query for which a process was killed is suspect, however short its deadline', async () => {
  await using at = await testEngine({ queryChildren: 1, slowChildren: 1 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  await expect(at.query({ sql: ENDLESS, deadlineMs: 20 })).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await eventually('it is killed', () => at.engine.stats().kills === 1);
  await at.text({ sql: 'select 1' });
  const [quick] = at.engine.childPids();
  await expect(at.query({ sql: ENDLESS, deadlineMs: 2_000 })).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  await at.text({ sql: 'select 1' });
  expect(at.engine.childPids()[0]).toBe(quick);
});

test('a query that ends soon after a short deadline costs nobody a process', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  for (let turn = 0; turn < 20; turn += 1) {
    await codeOf(at.query({ sql: work(turn), deadlineMs: 1 }));
    expect(await at.text({ sql: 'select 1 as x' })).toBe('{"x":1}');
  }
  expect(at.engine.stats().kills).toBe(0);
});

test('a text that is long for one segment again and again is suspect for that one alone', () => {
  const suspects = new Suspects();
  for (let turn = 0; turn < 5; turn += 1) suspects.add({ segment: 'a', sql: 'select 1' });
  expect(suspects.has({ segment: 'a', sql: 'select 1' })).toBe(true);
  expect(suspects.has({ segment: 'b', sql: 'select 1' })).toBe(false);
});

test('a text that was long for two segments is suspect for all, until it was as often quick', () => {
  const suspects = new Suspects();
  suspects.add({ segment: 'a', sql: 'select 1' });
  expect(suspects.has({ segment: 'c', sql: 'select 1' })).toBe(false);
  suspects.add({ segment: 'b', sql: 'select 1' });
  expect(suspects.has({ segment: 'c', sql: 'select 1' })).toBe(true);
  expect(suspects.has({ segment: 'c', sql: 'select 2' })).toBe(false);
  suspects.clear({ segment: 'c', sql: 'select 1' });
  expect(suspects.has({ segment: 'c', sql: 'select 1' })).toBe(false);
  expect(suspects.has({ segment: 'a', sql: 'select 1' })).toBe(true);
});

test('suspects are known by segment and text, however long, and the oldest are forgotten', () => {
  const suspects = new Suspects();
  const long = `select '${'x'.repeat(10_000)}'`;
  suspects.add({ segment: 'a', sql: long });
  suspects.add({ segment: 'a', sql: 'select 1' });
  expect(suspects.has({ segment: 'a', sql: long })).toBe(true);
  expect(suspects.has({ segment: 'b', sql: long })).toBe(false);
  expect(suspects.has({ segment: 'a', sql: `${long} ` })).toBe(false);
  suspects.clear({ segment: 'a', sql: long });
  expect(suspects.has({ segment: 'a', sql: long })).toBe(false);
  for (let index = 0; index < 1_000; index += 1) suspects.add({ segment: 'c', sql: String(index) });
  expect(suspects.has({ segment: 'a', sql: 'select 1' })).toBe(false);
  expect(suspects.has({ segment: 'c', sql: '999' })).toBe(true);
});
