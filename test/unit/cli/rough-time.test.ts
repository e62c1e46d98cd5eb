import { expect, test } from 'vitest';
import { roughTime } from '../../../src/cli/rough-time.ts';

test.each([
  [0, '0 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [3_570_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [86_400_000, '1 d'],
  [97_200_000, '1 d 3 h'],
])('%i ms are about %s', (ms, text) => {
  expect(roughTime(ms)).toBe(text);
});
