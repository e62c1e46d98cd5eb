import { expect, test } from 'vitest';
import { WriteHeat } from '../../../src/actors/writer/write-heat.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function scene() {
  const clock = new ManualClock();
  const heat = new WriteHeat(clock);
  const write = (segment: string, times: number): void => {
    for (let at = 0; at < times; at += 1) heat.add(segment);
  };
  return { clock, heat, write };
}

test('the most written segments come first, what was long ago counts less, and after some quiet minutes nothing is told', async () => {
  const { clock, heat, write } = scene();
  write('once', 1);
  write('much', 50);
  expect(heat.most()).toEqual([]);
  await clock.advance(10_000);
  expect(heat.most()).toEqual(['much', 'once']);
  await clock.advance(60_000);
  heat.most();
  write('now', 40);
  await clock.advance(10_000);
  expect(heat.most()[0]).toBe('now');
  for (let window = 0; window < 30; window += 1) {
    await clock.advance(10_000);
    heat.most();
  }
  expect(heat.most()).toEqual([]);
});

test('very many segments are told 64 at a time, and take no more room than the first ten thousand', async () => {
  const { clock, heat, write } = scene();
  for (let id = 0; id < 10_000; id += 1) write(`s${String(id)}`, 1);
  write('late', 100);
  write('s7', 100);
  await clock.advance(10_000);
  expect(heat.most()).toHaveLength(64);
  expect(heat.most()[0]).toBe('s7');
  expect(heat.most()).not.toContain('late');
});
