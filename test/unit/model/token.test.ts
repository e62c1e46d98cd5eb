import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromToken, toToken } from '../../../src/model/token.ts';

test.each([
  ['abc-1_2', 'abc-1_2'],
  ['a.b', 'a=2Eb'],
  ['a b', 'a=20b'],
  ['=', '=3D'],
  ['ö', '=C3=B6'],
  ['a*>', 'a=2A=3E'],
])('%j is the token %j', (name, token) => {
  expect(toToken(name)).toBe(token);
});

test('a token is one NATS subject token, and gives the name back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      expect(toToken(name)).toMatch(/^[A-Za-z0-9_=-]+$/);
      expect(fromToken(toToken(name))).toBe(name);
    }),
  );
});

test.each(['', '=', '=2', '=2e', '=41', 'a.b', '=ZZ', '=C3', 'a=2Eb ', 'ö'])(
  '%j is refused: no name has this token',
  (token) => {
    expect(() => fromToken(token)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  },
);
