import { expect, test } from 'vitest';
import { isSegmentId, parseSegmentId } from '../../../src/model/segment-id.ts';

test.each(['a', '0', '_', 'crawl-2024', 'a.b_c~d@e+f=g,h-i', 'two words', 'jahr öäü', '東京', 'x'.repeat(128)])(
  '%j is a segment id',
  (text) => {
    expect(parseSegmentId(text)).toBe(text);
  },
);

test.each([
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a\\b',
  '-x',
  '~x',
  ' x',
  'x ',
  'a:b',
  'a*b',
  'a>b',
  'a\nb',
  'a\0b',
  'a%b',
  'a?b',
  "a'b",
  'a"b',
  '\uD800',
  'a\uDC00',
  'x'.repeat(129),
  '東'.repeat(61),
  '.hidden',
])('%j is refused with the rule', (text) => {
  expect(isSegmentId(text)).toBe(false);
  expect(() => parseSegmentId(text)).toThrow(expect.objectContaining({ code: 'SEGMENT_ID_INVALID' }));
});

test('what is no text is refused, and a long text is not repeated in full', () => {
  for (const value of [undefined, null, 7, {}, ['a']])
    expect(() => parseSegmentId(value)).toThrow(expect.objectContaining({ code: 'SEGMENT_ID_INVALID' }));
  expect(() => parseSegmentId('/'.repeat(100_000))).toThrow(/^.{0,300}$/s);
});
