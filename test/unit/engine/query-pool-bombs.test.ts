import { afterAll, beforeAll, expect, test } from 'vitest';
import { ENDLESS, numbers, testEngine } from './engine-fixture.ts';

const FIVE_MILLION = 5_000_000;
const BOMBS: readonly (readonly [string, string])[] = [
  ['an endless recursion', ENDLESS],
  [
    'a cross join that eats memory',
    `select group_concat(a.t || b.t) as x from (${numbers(30_000, 90)}) a, (${numbers(30_000, 90)}) b`,
  ],
  [
    'a sort of five million rows',
    `select count(*) as n from (select x from (${numbers(FIVE_MILLION)}) order by random() limit -1 offset 1)`,
  ],
  [
    'a blob that grows',
    `select length(replace(hex(zeroblob(20000000)), '0', '${'x'.repeat(20)}')) + sum(length(hex(zeroblob(x * 1000)))) as n from (${numbers(20_000)})`,
  ],
];

let at: Awaited<ReturnType<typeof testEngine>>;
beforeAll(async () => {
  at = await testEngine({ memoryBytes: 2 ** 30 });
  at.make('light', `create table t (id integer primary key, b); insert into t ${numbers(1_000, 30)}`);
  at.make('heavy', '');
  await Promise.all(Array.from({ length: 8 }, () => at.text({ segment: 'light', sql: 'select 1' })));
});
afterAll(() => at[Symbol.asyncDispose]());

/** Point reads by eight askers, as long as `goesOn`; how long the slowest hundredth took, milliseconds. */
async function lightLoad(goesOn: () => boolean): Promise<{ readonly p99Ms: number; readonly count: number }> {
  const took: number[] = [];
  const asker = async (first: number): Promise<void> => {
    for (let id = first; goesOn(); id = (id + 8) % 1_000) {
      const askedAt = performance.now();
      const text = await at.text({
        segment: 'light',
        sql: `select b from t where id = ${String(id + 1)}`,
        deadlineMs: 60_000,
      });
      took.push(performance.now() - askedAt);
      expect(text).toBe(`{"b":"${String(id + 1).padStart(30, '0')}"}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, index) => asker(index)));
  took.sort((a, b) => a - b);
  return { p99Ms: took[Math.floor(took.length * 0.99)] ?? Infinity, count: took.length };
}

test.each(BOMBS)('beside %s, light reads are answered, right and soon', async (_, sql) => {
  const end = performance.now() + 500;
  const quiet = await lightLoad(() => performance.now() < end);
  let isOver = false;
  const bombs = Array.from({ length: 2 }, async () => {
    const askedAt = performance.now();
    const code = await at.text({ segment: 'heavy', sql, deadlineMs: 1_000 }).then(
      () => 'ok',
      (error: unknown) => (error as { code: string }).code,
    );
    return { code, tookMs: performance.now() - askedAt };
  });
  const all = Promise.all(bombs).then((outcomes) => {
    isOver = true;
    return outcomes;
  });
  const loaded = await lightLoad(() => !isOver);
  for (const { code, tookMs } of await all) {
    expect(['ok', 'ENGINE_DEADLINE', 'ENGINE_MEMORY', 'SQL_FAILED', 'ENGINE_CHILD_DIED']).toContain(code);
    // 150 ms after its deadline, and what a busy machine adds.
    expect(tookMs).toBeLessThan(1_000 + 150 + 1_000);
  }
  expect(loaded.count).toBeGreaterThan(20);
  expect(loaded.p99Ms).toBeLessThan(10 * quiet.p99Ms + 1_000);
});

test('a process that was killed has a successor soon, and meanwhile another one answers', async () => {
  const [pid = 0] = at.engine.childPids();
  const killedAt = performance.now();
  process.kill(pid, 'SIGKILL');
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => at.text({ segment: 'light', sql: 'select 1 as x' })),
  );
  expect(new Set(answers)).toEqual(new Set(['{"x":1}']));
  expect(performance.now() - killedAt).toBeLessThan(2_000);
  expect(at.engine.childPids()).not.toContain(pid);
});

test('a query that waits is dropped when its asker leaves: it never runs', async () => {
  await using one = await testEngine({ queryChildren: 1, slowChildren: 1 });
  one.make('s', '');
  await one.text({ sql: 'select 1' });
  const leave = new AbortController();
  const first = one.query({ sql: ENDLESS, deadlineMs: 1_000 });
  const waiting = Array.from({ length: 30 }, (_, index) => one.query({ sql: `select ${String(index)}` }, leave.signal));
  leave.abort();
  for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'ENGINE_CANCELLED' });
  expect(one.engine.load('s').waiting).toBe(0);
  await expect(first).rejects.toMatchObject({ code: 'ENGINE_DEADLINE' });
  expect(one.engine.stats()).toMatchObject({ queries: 32, failures: 31 });
});
