import { expect, test } from 'vitest';
import { SegmentRates } from '../../../../src/actors/shared/segment-rates.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

function scene(kept: number, mostTold = 8) {
  const clock = new ManualClock();
  const rates = new SegmentRates(clock, { mostTold, kept });
  const add = (segment: string, times: number): void => {
    for (let at = 0; at < times; at += 1) rates.add(segment);
  };
  const names = (): readonly string[] => rates.most().map(({ segment }) => segment);
  return { clock, rates, add, names };
}

test('rates are of the last whole window, the highest first', async () => {
  const { clock, rates, add } = scene(0);
  add('a', 100);
  add('b', 500);
  expect(rates.most()).toEqual([]);
  await clock.advance(10_000);
  expect(rates.most()).toEqual([
    { segment: 'b', perSecond: 50 },
    { segment: 'a', perSecond: 10 },
  ]);
  await clock.advance(10_000);
  expect(rates.most()).toEqual([]);
});

test('where a window is kept in part, what was long ago counts less, and after some quiet minutes nothing is told', async () => {
  const { clock, rates, add, names } = scene(0.7);
  add('once', 1);
  add('much', 50);
  expect(names()).toEqual([]);
  await clock.advance(10_000);
  expect(names()).toEqual(['much', 'once']);
  for (let window = 0; window < 6; window += 1) {
    await clock.advance(10_000);
    expect(names()[0]).toBe('much');
  }
  add('now', 40);
  await clock.advance(10_000);
  expect(names()).toEqual(['now', 'much']);
  for (let window = 0; window < 30; window += 1) {
    await clock.advance(10_000);
    rates.most();
  }
  expect(names()).toEqual([]);
});

test('a steady rate is told as it is', async () => {
  const { clock, rates, add } = scene(0.7);
  for (let window = 0; window < 40; window += 1) {
    add('steady', 200);
    await clock.advance(10_000);
    rates.most();
  }
  expect(rates.most()[0]?.perSecond).toBeCloseTo(20, 1);
});

test('however many others are counted in each window, what is kept of them all stays within ten thousand', async () => {
  const { clock, rates, add } = scene(0.7, 100_000);
  for (let window = 0; window < 3; window += 1) {
    for (let id = 0; id < 10_000; id += 1) add(`${String(window)}-${String(id)}`, 1);
    await clock.advance(10_000);
    expect(rates.most()).toHaveLength(10_000);
  }
});

test('of very many segments those with the highest rates are told, and no more than the first ten thousand take room', async () => {
  const { clock, add, names } = scene(0);
  for (let id = 0; id < 10_000; id += 1) add(`s${String(id)}`, 1);
  add('late', 100);
  add('s7', 100);
  await clock.advance(10_000);
  expect(names()).toHaveLength(8);
  expect(names()[0]).toBe('s7');
  expect(names()).not.toContain('late');
});
