import { expect, test } from 'vitest';
import { BucketCounts } from '../../../src/model/bucket-counts.ts';

test('each value counts for the first bound that it does not exceed, and for all above', () => {
  const counts = new BucketCounts([1, 2, 4]);
  for (const value of [0, 1, 1.5, 2, 3, 4, 5, 100]) counts.add(value);
  expect(counts.cumulative()).toEqual([2, 4, 6]);
  expect([counts.count, counts.sum]).toEqual([8, 116.5]);
});

test('nothing was added', () => {
  expect(new BucketCounts([1]).cumulative()).toEqual([0]);
});
