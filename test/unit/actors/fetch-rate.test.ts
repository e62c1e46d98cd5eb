import { expect, test } from 'vitest';
import { FetchRate } from '../../../src/actors/copies/fetch-rate.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('the rate counts only the time in which something was fetched', async () => {
  const clock = new ManualClock();
  const rate = new FetchRate(clock);
  expect(rate.rate).toBeNull();
  rate.started();
  rate.started();
  await clock.advance(1_000);
  rate.ended(500);
  rate.ended(undefined);
  await clock.advance(3_600_000);
  expect(rate.rate).toEqual({ copiesPerSecond: 1, bytesPerSecond: 500 });
});

test('what is newer counts more', async () => {
  const clock = new ManualClock();
  const rate = new FetchRate(clock);
  for (const [ms, bytes] of [
    ...Array.from({ length: 60 }, () => [1_000, 1e6]),
    ...Array.from({ length: 600 }, () => [1_000, 1e3]),
  ] as const) {
    rate.started();
    await clock.advance(ms ?? 0);
    rate.ended(bytes);
  }
  expect(rate.rate?.bytesPerSecond).toBeGreaterThan(900);
  expect(rate.rate?.bytesPerSecond).toBeLessThan(3_000);
  expect(rate.rate?.copiesPerSecond).toBeCloseTo(1, 1);
});
