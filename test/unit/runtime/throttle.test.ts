import { expect, test } from 'vitest';
import { Throttle } from '../../../src/runtime/throttle.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('as many units pass in a second as it says; small debts wait for the next', async () => {
  const clock = new ManualClock();
  const throttle = new Throttle(clock, 1_000);
  await throttle.take(10);
  let passed = false;
  const taking = throttle.take(1_990).then(() => {
    passed = true;
  });
  await clock.advance(1_999);
  expect(passed).toBe(false);
  await clock.advance(1);
  await taking;
  expect(passed).toBe(true);
});

test('a pause saves nothing up', async () => {
  const clock = new ManualClock();
  const throttle = new Throttle(clock, 1_000);
  await throttle.take(1);
  await clock.advance(60_000);
  let passed = false;
  const taking = throttle.take(500).then(() => {
    passed = true;
  });
  await clock.advance(499);
  expect(passed).toBe(false);
  await clock.advance(1);
  await taking;
});

test('a wait ends when it is called off', async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const taking = new Throttle(clock, 1).take(1_000, stop.signal);
  stop.abort(new Error('enough'));
  await expect(taking).rejects.toThrow('enough');
});
