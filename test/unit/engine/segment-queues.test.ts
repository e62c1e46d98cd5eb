import { afterEach, expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { QueryCall } from '../../../src/engine/query-call.ts';
import { SegmentQueues } from '../../../src/engine/segment-queues.ts';

const calls: QueryCall[] = [];
afterEach(() => {
  for (const call of calls.splice(0)) call.fail(new TroughError('ENGINE_STOPPED', 'the test is over'));
});

function callOf(segment: string, sql: string): QueryCall {
  const query = { segment, sql, file: segment, version: '1', live: false, deadlineMs: 60_000 } as const;
  const owner = { refuseStream: () => undefined, ended: () => undefined };
  const call = new QueryCall({ ...query, format: 'rows', bigints: 'digits' }, undefined, owner);
  call.answer.catch(() => undefined);
  calls.push(call);
  return call;
}

/** One home for all, and a rule against some SQL that counts how often it is asked. */
function queuesWithRule() {
  const queues = new SegmentQueues({ homes: 1, homeOf: () => 0, mostRunning: 1_000 });
  const rule = { asked: 0, barred: 'bad' };
  const mayRun = ({ query }: QueryCall): boolean => {
    rule.asked += 1;
    return query.sql !== rule.barred;
  };
  return { queues, rule, take: () => queues.take(0, mayRun)?.query };
}

test('segments take turns, each in the order in which it asked', () => {
  const { queues, take } = queuesWithRule();
  for (const sql of ['1', '2', '3']) queues.add(callOf('a', sql));
  queues.add(callOf('b', '4'));
  const taken = Array.from({ length: 5 }, () => take()?.sql);
  expect(taken).toEqual(['1', '4', '2', '3', undefined]);
});

test('what may not run now is passed over, and not looked at again for every other query', () => {
  const { queues, rule, take } = queuesWithRule();
  for (let index = 0; index < 500; index += 1) queues.add(callOf('a', 'bad'));
  for (let index = 0; index < 100; index += 1) queues.add(callOf('b', 'good'));
  for (let index = 0; index < 100; index += 1) expect(take()).toMatchObject({ segment: 'b' });
  expect(rule.asked).toBeLessThan(700);
  expect(queues.hasTurn(0)).toBe(false);
  expect(take()).toBeUndefined();
  expect(queues.size).toBe(500);
  // Another one of the segment may run.
  queues.add(callOf('a', 'good'));
  expect(take()).toMatchObject({ segment: 'a', sql: 'good' });
  expect(take()).toBeUndefined();
  rule.barred = 'none';
  queues.lift();
  expect(take()).toMatchObject({ segment: 'a', sql: 'bad' });
  expect(queues.size).toBe(499);
});

test('the end of one of its queries does not give a turn to a segment of which nothing may run', () => {
  const { queues, rule, take } = queuesWithRule();
  const running = callOf('a', 'good');
  queues.add(running);
  take();
  for (let index = 0; index < 10; index += 1) queues.add(callOf('a', 'bad'));
  expect(take()).toBeUndefined();
  const { asked } = rule;
  running.left();
  expect(take()).toBeUndefined();
  expect(rule.asked).toBe(asked);
  rule.barred = 'none';
  queues.lift();
  expect(take()).toMatchObject({ sql: 'bad' });
});
