import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Mailbox } from '../../../src/runtime/mailbox.ts';

test.each(['refuse', 'drop-oldest'] as const)('with %s it behaves as a plain list would, at any length', (overflow) => {
  const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: -3000, max: -1 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 4000 }), (runs, limit) => {
      const mailbox = new Mailbox<number>(limit, overflow);
      const plain: number[] = [];
      let number = 0;
      let dropped = 0;
      for (const run of runs) {
        for (let push = 0; push < run; push += 1) {
          number += 1;
          const isFull = plain.length === limit;
          if (isFull) dropped += 1;
          if (isFull && overflow === 'drop-oldest') plain.shift();
          if (!isFull || overflow === 'drop-oldest') plain.push(number);
          expect(mailbox.push(number)).toBe(!isFull || overflow === 'drop-oldest');
        }
        for (let shift = 0; shift < -run; shift += 1) expect(mailbox.shift()).toBe(plain.shift());
        expect(mailbox.size).toBe(plain.length);
      }
      expect(mailbox.dropped).toBe(dropped);
    }),
    { numRuns: 20 },
  );
});
