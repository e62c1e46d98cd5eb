import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextVersion } from '../../../src/model/version.ts';

test('a first version is the modification time in whole milliseconds', () => {
  expect(nextVersion(undefined, 1_700_000_000_000.7)).toBe(1_700_000_000_000);
  expect(nextVersion(null, 5)).toBe(5);
});

test('versions grow whatever the clock does, and follow it when they can', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2e12 }), { minLength: 1 }), (times) => {
      let version: number | undefined;
      for (const time of times) {
        const next = nextVersion(version, time);
        expect(next).toBeGreaterThan(version ?? -1);
        expect(next).toBe(version === undefined || time > version ? time : version + 1);
        version = next;
      }
    }),
  );
});
