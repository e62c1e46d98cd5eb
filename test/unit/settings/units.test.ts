import { expect, test } from 'vitest';
import { formatByteSize, parseByteSize, roughByteSize } from '../../../src/model/byte-size.ts';
import { formatDuration, parseDuration } from '../../../src/model/duration.ts';

test.each([
  ['500ms', 500],
  ['5s', 5_000],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
])('the duration %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(parseDuration(formatDuration(ms))).toBe(ms);
});

test.each([
  ['512B', 512],
  ['64MB', 64_000_000],
  ['64kB', 64_000],
  ['1GiB', 2 ** 30],
  ['1.5GiB', 1.5 * 2 ** 30],
])('the size %s is %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
  expect(parseByteSize(formatByteSize(bytes))).toBe(bytes);
});

test.each(['', 's', '5', '-5s', '5 parsecs', '1e3s', 'NaN'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(/durations are written/);
});

test.each(['', 'MB', '5', '-5MB', '5iB', '5MiiB', '1e3B'])('%j is no size', (text) => {
  expect(() => parseByteSize(text)).toThrow(/sizes are written/);
});

test('sizes are formatted in their shortest exact form, and rounded for people', () => {
  expect([64_000_000, 2 ** 30, 1_001].map(formatByteSize)).toEqual(['64MB', '1GiB', '1001B']);
  expect([999, 1_250, 99_950_000, 2 ** 40].map(roughByteSize)).toEqual(['999 B', '1.25 kB', '100.0 MB', '1.10 TB']);
});
