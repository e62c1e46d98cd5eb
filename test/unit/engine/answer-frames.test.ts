import { expect, test } from 'vitest';
import { decodeColumns } from '../../../src/engine/answer-frames.ts';

function frame(...columns: string[]): Buffer {
  return Buffer.from(JSON.stringify(columns));
}

test('the same short list of columns is one object, a long one is not kept', () => {
  expect(decodeColumns(frame('a', 'b'))).toEqual(['a', 'b']);
  expect(decodeColumns(frame('a', 'b'))).toBe(decodeColumns(frame('a', 'b')));
  const long = 'x'.repeat(100_000);
  expect(decodeColumns(frame(long))).toEqual([long]);
  expect(decodeColumns(frame(long))).not.toBe(decodeColumns(frame(long)));
});
