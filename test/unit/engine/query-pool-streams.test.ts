import { expect, test } from 'vitest';
import { type EngineAnswer } from '../../../src/engine/engine.ts';
import { TroughError } from '../../../src/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { bodyOf, numbers, streamOf, testEngine } from './engine-fixture.ts';

const LONG = numbers(200_000);

function codeOf(answer: Promise<EngineAnswer>): Promise<string> {
  return answer.then(
    () => 'ok',
    (error: unknown) => TroughError.from(error).code,
  );
}

test('no more long answers are begun than may be read at a time, half of them of one segment; short ones are answered all the same', async () => {
  await using at = await testEngine({ mostStreams: 4 });
  for (const segment of ['a', 'b', 'c']) at.make(segment, '');
  const begin = (segment: string): Promise<EngineAnswer> => at.query({ segment, sql: LONG, deadlineMs: 60_000 });
  const first = [await begin('a'), await begin('a')];
  expect(await codeOf(begin('a'))).toBe('SEGMENT_QUEUE_FULL');
  const others = [await begin('b'), await begin('c')];
  for (const segment of ['a', 'b', 'c']) {
    if (segment !== 'a') expect(await codeOf(begin(segment))).toBe('ENGINE_POOL_FULL');
    expect(await at.text({ segment, sql: 'select 1 as x' })).toBe('{"x":1}');
  }
  // Those that were refused run nowhere.
  await eventually('only the four are left', () => at.engine.stats().running === 4);
  const [left, read] = first;
  if (left === undefined || read === undefined) throw new Error('there were two');
  await streamOf(left)[Symbol.asyncIterator]().return?.();
  expect(await codeOf(begin('b'))).toBe('ok');
  expect((await bodyOf(read)).split('\n')).toHaveLength(200_000);
  for (const other of others) expect((await bodyOf(other)).split('\n')).toHaveLength(200_000);
  expect(at.engine.stats()).toMatchObject({ kills: 0, restarts: 0 });
});

test('a long answer that nobody reads says at its deadline that it has failed, and holds nothing any more', async () => {
  await using at = await testEngine({ queryChildren: 1, mostStreams: 2 });
  at.make('s', '');
  const { body, failure } = await at.query({ sql: numbers(10_000_000), deadlineMs: 1_000 });
  expect(failure?.aborted).toBe(false);
  await eventually('its end', () => failure?.aborted);
  expect(failure?.reason).toMatchObject({ code: 'ENGINE_DEADLINE' });
  expect(at.engine.stats()).toMatchObject({ running: 0 });
  await expect(bodyOf({ body, columns: [], summary: () => ({ rows: 0, truncated: false }) })).rejects.toMatchObject({
    code: 'ENGINE_DEADLINE',
  });
  expect(await codeOf(at.query({ sql: LONG }))).toBe('ok');
});

test('a long answer that ends well or is left early does not fail', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make('s', '');
  const read = await at.query({ sql: LONG, deadlineMs: 60_000 });
  await bodyOf(read);
  const left = await at.query({ sql: LONG, deadlineMs: 60_000 });
  await streamOf(left)[Symbol.asyncIterator]().return?.();
  expect([read.failure?.aborted, left.failure?.aborted]).toEqual([false, false]);
});
