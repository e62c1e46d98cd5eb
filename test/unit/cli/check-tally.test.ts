import { expect, test } from 'vitest';
import { CheckTally } from '../../../src/cli/cold-check/check-tally.ts';

const total = { segments: 100, bytes: 10_000_000 };
const stretch = { findings: [], checked: { segments: 25, files: 0, bytes: 2_500_000 }, elapsedMs: 10_000 };

test('the time that is left follows the pace of this run alone', () => {
  const tally = new CheckTally(true);
  expect(tally.leftMs).toBeUndefined();
  tally.add({ ...stretch, elapsedMs: 1 });
  tally.add(stretch, total);
  expect(tally.share).toBeCloseTo(1 / 3);
  expect(tally.leftMs).toBeCloseTo(40_000);
  expect(tally.progressLine()).toBe(' 33 %, 50 of 100 segments, 5.00 MB read, 0 findings, about 40 s left');
});

test('what is not read does not count', () => {
  const tally = new CheckTally(false);
  tally.add({ ...stretch, checked: { segments: 50, files: 0, bytes: 0 } }, total);
  expect(tally.progressLine()).toBe(' 25 %, 50 of 100 segments, 0 findings, about 30 s left');
});

test('an empty cluster has neither a share nor a time left', () => {
  const tally = new CheckTally(true);
  tally.add({ ...stretch, checked: { segments: 0, files: 0, bytes: 0 } }, { segments: 0, bytes: 0 });
  expect([tally.share, tally.leftMs]).toEqual([0, undefined]);
});
