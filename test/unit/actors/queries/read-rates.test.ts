import { expect, test } from 'vitest';
import { ReadRates } from '../../../../src/actors/queries/read-rates.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

test('rates are of the last whole window, the most read first, and only those that matter', async () => {
  const clock = new ManualClock();
  const rates = new ReadRates(clock);
  for (let read = 0; read < 100; read += 1) rates.add('a');
  for (let read = 0; read < 500; read += 1) rates.add('b');
  rates.add('c');
  expect(rates.above(1)).toEqual([]);
  await clock.advance(10_000);
  expect(rates.above(1)).toEqual([
    { segment: 'b', perSecond: 50 },
    { segment: 'a', perSecond: 10 },
  ]);
  expect(rates.above(20)).toHaveLength(1);
  await clock.advance(10_000);
  expect(rates.above(0)).toEqual([]);
});

test('very many segments are told eight at a time, and take no more room than the first ten thousand', async () => {
  const clock = new ManualClock();
  const rates = new ReadRates(clock);
  for (let id = 0; id < 10_000; id += 1) rates.add(`s${String(id)}`);
  for (let read = 0; read < 100; read += 1) rates.add('late');
  for (let read = 0; read < 100; read += 1) rates.add('s7');
  await clock.advance(10_000);
  const told = rates.above(0);
  expect(told).toHaveLength(8);
  expect(told[0]?.segment).toBe('s7');
  expect(told.some(({ segment }) => segment === 'late')).toBe(false);
});
