import { expect, test } from 'vitest';
import {
  formatPosition,
  formatPositions,
  markOf,
  parsePosition,
  parsePositions,
} from '../../../src/model/change-position.ts';

test('a position is a sequence, with or without the mark of its stream, and reads back as it was', () => {
  const mark = markOf('2026-01-01T00:00:00.123456789Z');
  expect(mark).toMatch(/^[0-9a-f]{8}$/);
  expect(markOf('2026-01-01T00:00:00.123456780Z')).not.toBe(mark);
  for (const position of [
    { sequence: 0, mark: undefined },
    { sequence: 12_345, mark },
  ])
    expect(parsePosition(formatPosition(position))).toEqual(position);
});

test('positions of several streams read back as they were; 0 is the beginning of all', () => {
  const positions = new Map([
    ['1', { sequence: 7, mark: 'aabbccdd' }],
    ['12', { sequence: 0, mark: undefined }],
  ]);
  expect(formatPositions(positions)).toBe('1:7-aabbccdd,12:0');
  expect(parsePositions(formatPositions(positions))).toEqual(positions);
  expect(parsePositions('0')).toEqual(new Map());
});

test.each(['', '-1', '1.5', 'x', '1-xyz', '1-AABBCCDD', '99999999999999999', '9999999999999999', '1:2'])(
  'what is no position is refused: %j',
  (text) => {
    expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error);
  },
);

test.each(['', '5', '1:', ':1', '0:1', '1:2:3', '1:x', '1:2,', '1:2;2:3'])(
  'what is no list of positions is refused: %j',
  (text) => {
    expect(() => parsePositions(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error);
  },
);
