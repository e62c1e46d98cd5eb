import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { bodyOf, ENDLESS, numbers, processorTicks, streamOf, testEngine } from './engine-fixture.ts';
import { stampedScript } from '../../support/stamped.ts';

test('a query past its deadline is killed, its child replaced, and the queries behind it are answered', async () => {
  await using at = await testEngine();
  at.make('s', 'create table t (a); insert into t values (1)');
  await at.text({ sql: 'select a from t' });
  const startedAt = performance.now();
  const endless = [0, 1].map(() => at.query({ sql: ENDLESS, deadlineMs: 300 }));
  const others = Array.from({ length: 40 }, () => at.text({ sql: 'select a from t' }));
  for (const each of endless) {
    await expect(each).rejects.toMatchObject({ code: 'ENGINE_DEADLINE', context: { segment: 's', deadlineMs: 300 } });
  }
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  expect(new Set(await Promise.all(others))).toEqual(new Set(['{"a":1}']));
  const { kills, restarts, children, failures } = at.engine.stats();
  expect({ failures, restarts }).toEqual({ failures: 2, restarts: kills });
  // Two, and up to two more for what runs long.
  expect([2, 3, 4]).toContain(children);
  expect(kills).toBeGreaterThan(0);
});

test('one endless query holds nobody up: what waits behind it is given to the other child', async () => {
  await using at = await testEngine();
  at.make('s', 'create table t (a); insert into t values (1)');
  await at.text({ sql: 'select a from t' });
  const endless = at.query({ sql: ENDLESS, deadlineMs: 2_000 });
  const startedAt = performance.now();
  const answers = await Promise.all(Array.from({ length: 20 }, () => at.text({ sql: 'select a from t' })));
  expect(answers).toHaveLength(20);
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  await expect(endless).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
});

test('a query that nobody wants any more ends: running, waiting, or before it began', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', 'create table t (a); insert into t values (1)');
  await at.text({ sql: 'select a from t' });
  const abort = new AbortController();
  const running = at.query({ sql: ENDLESS }, abort.signal);
  const waiting = at.query({ sql: 'select a from t' }, abort.signal);
  const [pid = 0] = at.engine.childPids();
  const cpuTicks = processorTicks(pid);
  await eventually('the endless query runs', () => processorTicks(pid) > cpuTicks + 5);
  abort.abort();
  for (const each of [running, waiting, at.query({ sql: 'select 1' }, abort.signal)]) {
    await expect(each).rejects.toMatchObject({ code: 'ENGINE_CANCELLED' });
  }
  expect(await at.text({ sql: 'select a from t' })).toBe('{"a":1}');
  await eventually('the endless query is killed', () => at.engine.stats().kills === 1);
});

test('leaving a stream early, or aborting it, ends its query without killing anybody', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  for await (const chunk of streamOf(await at.query({ sql: numbers(10_000_000) }))) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  const abort = new AbortController();
  const answer = await at.query({ sql: numbers(10_000_000) }, abort.signal);
  abort.abort();
  await expect(bodyOf(answer)).rejects.toMatchObject({ code: 'ENGINE_CANCELLED' });
  expect(await at.text({ sql: 'select 1 as x' })).toBe('{"x":1}');
  expect(at.engine.stats().kills).toBe(0);
});

test('a stream that is not read holds up nobody, and fails at its deadline', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const unread = await at.query({ sql: numbers(10_000_000), deadlineMs: 1_000 });
  for (let turn = 0; turn < 20; turn += 1) expect(await at.text({ sql: 'select 1 as x' })).toBe('{"x":1}');
  await eventually('the stream is past its deadline', () => at.engine.stats().failures === 1);
  await expect(bodyOf(unread)).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
});

test('a writer is not held up, and its commits are seen, while a long answer from the same live file is unread', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const session = await at.engine.openWriter({
    segment: 's',
    file: at.fileOf('s'),
    schemaSql: `create table t (a, b); insert into t ${numbers(30_000, 50)}`,
  });
  const unread = await at.query({ sql: 'select * from t', live: true });
  await session.apply([stampedScript('alter table t rename column a to z; insert into t values (0, 0)')], 5_000);
  await session.commit();
  expect(await at.text({ sql: 'select z from t where z = 0', live: true })).toBe('{"z":0}');
  await bodyOf(unread);
  expect(unread.summary().rows).toBe(30_000);
  await session[Symbol.asyncDispose]();
});

test('the names of the columns follow a change of the schema', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const session = await at.engine.openWriter({
    segment: 's',
    file: at.fileOf('s'),
    schemaSql: 'create table t (a, b); insert into t values (1, 2)',
  });
  const ask = (): Promise<string> => at.text({ sql: 'select * from t', live: true });
  expect(await ask()).toBe('{"a":1,"b":2}');
  await session.apply([stampedScript('alter table t rename column a to z; alter table t add column c')], 5_000);
  await session.commit();
  expect(await ask()).toBe('{"z":1,"b":2,"c":null}');
  await session[Symbol.asyncDispose]();
});

test('more queries than the queue holds are refused at once', async () => {
  await using at = await testEngine({ queryChildren: 1, mostQueued: 5 });
  at.make('s', '');
  await at.text({ sql: 'select 1' });
  const all = Array.from({ length: 40 }, () => at.query({ sql: ENDLESS, deadlineMs: 200 }));
  const settled = await Promise.allSettled(all);
  const codes = settled.map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'ok'));
  expect(new Set(codes)).toEqual(new Set(['ENGINE_DEADLINE', 'ENGINE_POOL_FULL']));
});

/** Resident memory of a process, MiB. */
function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024;
}

test('an answer of a million rows goes through with flat memory in the child', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  const [pid = 0] = at.engine.childPids();
  for await (const chunk of streamOf(await at.query({ sql: numbers(200_000, 80) })))
    expect(chunk.length).toBeGreaterThan(0);
  const before = residentMiB(pid);
  let [bytes, highest] = [0, 0];
  const answer = await at.query({ sql: numbers(1_000_000, 80) });
  for await (const chunk of streamOf(answer)) {
    bytes += chunk.length;
    highest = Math.max(highest, residentMiB(pid));
  }
  expect(answer.summary().rows).toBe(1_000_000);
  expect(bytes).toBeGreaterThan(90_000_000);
  expect(highest - before).toBeLessThan(60);
});

test('a child holds no more files open than it is told', async () => {
  await using at = await testEngine({ queryChildren: 1, openFiles: 10 });
  for (let index = 0; index < 30; index += 1)
    at.make(`s${String(index)}`, `create table t (a); insert into t values (${String(index)})`);
  for (let index = 0; index < 30; index += 1) {
    expect(await at.text({ segment: `s${String(index)}`, sql: 'select a from t' })).toBe(`{"a":${String(index)}}`);
  }
  expect(at.engine.stats()).toMatchObject({ openConnections: 10, openConnectionsByChild: [10] });
});
