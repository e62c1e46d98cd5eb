import { randomFillSync } from 'node:crypto';

/** Drawn together: a call for so many takes hardly longer than one for a few. */
const DRAWN_BYTES = 4_096;

/** Random hexadecimal digits, `bytes` of them in pairs, others at each call, not to be guessed. For what is asked for thousands of times a second. */
export function randomDigits(bytes: number): () => string {
  const drawn = Buffer.alloc(Math.max(bytes, DRAWN_BYTES));
  let used = drawn.length;
  return () => {
    if (used + bytes > drawn.length) {
      randomFillSync(drawn);
      used = 0;
    }
    used += bytes;
    return drawn.toString('hex', used - bytes, used);
  };
}
