import { expect, test } from 'vitest';
import { randomDigits } from '../../../src/runtime/random-digits.ts';

test('they are of the asked length and never the same, over many draws', () => {
  const next = randomDigits(16);
  const seen = Array.from({ length: 2_000 }, next);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.every((digits) => /^[0-9a-f]{32}$/.test(digits))).toBe(true);
});

test('what is longer than one draw is drawn at once', () => {
  const next = randomDigits(5_000);
  const first = next();
  expect(first).toHaveLength(10_000);
  expect(next()).not.toBe(first);
});
