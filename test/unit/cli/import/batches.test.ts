import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Batch, Batches } from '../../../../src/cli/import/batches.ts';

const LIMITS = { batchRows: 5, batchBytes: 2_000, totalBytes: 6_000 };

test('each row comes out once, in the order of its segment, and the buffers stay within their bound', () => {
  const rows = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 0, max: 900 })), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(rows, (list) => {
      const batches = new Batches(LIMITS);
      const out: Batch[] = [];
      for (const [line, [segment, length]] of list.entries()) {
        out.push(...batches.add(segment, { line, values: ['x'.repeat(length)] }));
        expect(batches.bufferedBytes).toBeLessThanOrEqual(LIMITS.totalBytes);
      }
      out.push(...batches.rest());
      expect(batches.bufferedBytes).toBe(0);
      for (const segment of new Set(list.map(([name]) => name))) {
        const lines = out
          .filter((batch) => batch.segment === segment)
          .flatMap((batch) => batch.rows.map(({ line }) => line));
        expect(lines).toEqual(list.flatMap(([name], line) => (name === segment ? [line] : [])));
      }
      expect(Math.max(0, ...out.map((batch) => batch.rows.length))).toBeLessThanOrEqual(LIMITS.batchRows);
    }),
  );
});

test('when there is too much of all, the largest buffers go first', () => {
  const batches = new Batches({ batchRows: 1_000, batchBytes: 100_000, totalBytes: 3_000 });
  const value = (bytes: number): string => 'x'.repeat(bytes);
  expect(batches.add('small', { line: 1, values: [value(100)] })).toEqual([]);
  expect(batches.add('large', { line: 2, values: [value(2_000)] })).toEqual([]);
  expect(batches.add('middle', { line: 3, values: [value(900)] }).map(({ segment }) => segment)).toEqual(['large']);
});
