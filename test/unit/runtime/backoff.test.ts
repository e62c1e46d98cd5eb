import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backoff } from '../../../src/runtime/backoff.ts';

test('waiting times double up to the most, and begin anew after a reset', () => {
  const backoff = new Backoff({ firstMs: 100, mostMs: 1000 }, () => 0);
  expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff.attempts).toBe(6);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test('chance shortens a waiting time by half at most, and never makes it longer', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 2000 }), (chance, times) => {
      const backoff = new Backoff({ firstMs: 10, mostMs: 500 }, () => chance);
      let last = 0;
      for (let time = 0; time < times; time += 1) last = backoff.next();
      const full = Math.min(500, 10 * 2 ** (times - 1));
      expect(last).toBeGreaterThan(full / 2);
      expect(last).toBeLessThanOrEqual(full);
    }),
  );
});
