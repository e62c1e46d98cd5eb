import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BufferPool } from '../../../src/engine/buffer-pool.ts';

const KIB = 1024;

test('two that are out at a time never share memory, whatever is given back in between, and how often', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ take: fc.integer({ min: 0, max: 300 * KIB }) }),
      fc.record({ give: fc.nat(20), times: fc.integer({ min: 1, max: 2 }) }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const pool = new BufferPool(512 * KIB);
      const out: { mark: number; part: Buffer }[] = [];
      let marks = 0;
      for (const step of all) {
        if ('take' in step) {
          const part = pool.take(step.take);
          expect(part).toHaveLength(step.take);
          marks += 1;
          out.push({ mark: marks % 256, part: part.fill(marks % 256) });
        } else {
          const [left] = out.splice(step.give % Math.max(1, out.length), 1);
          for (let time = 0; left !== undefined && time < step.times; time += 1) pool.give(left.part);
        }
        for (const { mark, part } of out) expect(part.every((byte) => byte === mark)).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test('a large one is used again, by one that is about as long', () => {
  const pool = new BufferPool(512 * KIB);
  const first = pool.take(90 * KIB);
  pool.give(first.subarray(17, 80 * KIB));
  expect(pool.take(20 * KIB).buffer).not.toBe(first.buffer);
  expect(pool.take(85 * KIB).buffer).toBe(first.buffer);
  expect(pool.take(85 * KIB).buffer).not.toBe(first.buffer);
});

test('what others have made is left alone, and no more is kept than was said', () => {
  const pool = new BufferPool(100 * KIB);
  const other = Buffer.alloc(90 * KIB);
  pool.give(other);
  expect(pool.take(90 * KIB).buffer).not.toBe(other.buffer);
  const [one, two] = [pool.take(90 * KIB), pool.take(90 * KIB)];
  pool.give(one);
  pool.give(two);
  expect(pool.take(90 * KIB).buffer).toBe(one.buffer);
  expect(pool.take(90 * KIB).buffer).not.toBe(two.buffer);
});
