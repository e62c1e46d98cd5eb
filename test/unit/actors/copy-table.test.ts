import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyTable } from '../../../src/actors/copies/copy-table.ts';
import { parseSegmentId, type SegmentId } from '../../../src/model/segment-id.ts';
import { collectGarbage } from '../../support/collect-garbage.ts';

const id = fc.oneof(
  fc.integer({ min: 0, max: 400 }).map((number) => parseSegmentId(`crawl-${String(number)}`)),
  fc.integer({ min: 0, max: 40 }).map((number) => parseSegmentId(`ключ-é-${String(number)}-${'深'.repeat(number)}`)),
);
const step = fc.oneof(
  fc.record({ id, version: fc.integer({ min: 0 }).map((ms) => ms * 1_000), sizeBytes: fc.integer({ min: 0 }) }),
  fc.record({ id }),
);

function contents(table: CopyTable): [SegmentId, unknown][] {
  return Array.from(table.ids(), (one): [SegmentId, unknown] => [one, table.get(one)]).sort(byId);
}

function byId([one]: [string, unknown], [other]: [string, unknown]): number {
  return one < other ? -1 : 1;
}

test('whatever is put in, replaced and removed: it holds what a map would hold', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000, minLength: 500 }), (steps) => {
      const table = new CopyTable();
      const map = new Map<SegmentId, unknown>();
      for (const one of steps) {
        if ('version' in one) {
          const { version, sizeBytes } = one;
          table.set(one.id, { version, sizeBytes });
          map.set(one.id, { version, sizeBytes });
        } else {
          table.delete(one.id);
          map.delete(one.id);
        }
        expect(table.get(one.id)).toEqual(map.get(one.id));
      }
      expect(table.size).toBe(map.size);
      expect(contents(table)).toEqual([...map].sort(byId));
    }),
    { numRuns: 30, seed: 5 },
  );
});

function heldBytes(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

test('a hundred thousand come and go many times over: it keeps finding the others, in no more room', () => {
  const table = new CopyTable();
  const name = (number: number): SegmentId => parseSegmentId(`a-rather-long-name-of-a-segment-${String(number)}`);
  for (let number = 0; number < 100_000; number += 1) table.set(name(number), { version: number, sizeBytes: 1 });
  const before = heldBytes();
  for (let round = 1; round <= 5; round += 1) {
    for (let number = 0; number < 100_000; number += 1) if (number % 10 !== 0) table.delete(name(number));
    expect(table.size).toBe(10_000);
    for (let number = 0; number < 100_000; number += 1) table.set(name(number), { version: number, sizeBytes: round });
  }
  expect(heldBytes() - before).toBeLessThan(10_000_000);
  expect(table.get(name(99_999))).toEqual({ version: 99_999, sizeBytes: 5 });
  expect(table.get(name(100_000))).toBeUndefined();
  expect(new Set(table.ids()).size).toBe(100_000);
});
