import { expect, test } from 'vitest';
import { translateLambda, translateOriginalRules } from '../../../src/model/lambda-rules.ts';
import { compileRules } from '../../../src/model/segment-rules.ts';

const copiesOf = (text: string | number, ids: readonly string[]): number[] => {
  const { rules, copies } = translateOriginalRules(text, undefined, 9);
  const treat = compileRules(rules, copies);
  return ids.map((id) => treat(id).copies);
};

test('the example of the original means what it meant', () => {
  const text = 'lambda segment_id: 2 if segment_id.isnumeric() and int(segment_id) > 200000 else 1';
  expect(translateLambda('MINIMUM_ASSIGNMENTS', text)).toEqual({
    rules: [{ from: '200001', copies: 2 }],
    otherwise: 1,
  });
  expect(copiesOf(text, ['200000', '200001', 'abc'])).toEqual([1, 2, 1]);
});

test.each([
  ['lambda s: 3 if s.isdigit() and int(s) >= 10 else 1', [1, 3, 3, 1]],
  ['lambda s: 3 if int(s) < 10 else 1', [3, 1, 1, 1]],
  ['lambda s: 3 if s.isnumeric() and 9 < int(s) <= 10 else 1', [1, 3, 1, 1]],
  ['lambda s: 3 if (s.isnumeric() and (10 == int(s))) else 1', [1, 3, 1, 1]],
  ['lambda s: 4 if s.isnumeric() and int(s) > 10 else 3 if s.isnumeric() and int(s) > 9 else 2', [2, 3, 4, 2]],
  ['lambda s: 4 if s.isnumeric() and int(s) > 10 else (3 if s.isnumeric() else 2)', [3, 3, 4, 2]],
  ['lambda s: 4 if s.isnumeric() and int(s) > 10 and int(s) < 10 else 2', [2, 2, 2, 2]],
  ['lambda s: 3', [3, 3, 3, 3]],
  ['  5 ', [5, 5, 5, 5]],
  [6, [6, 6, 6, 6]],
])('%j gives the copies %j to the segments 9, 10, 11 and x', (text, expected) => {
  expect(copiesOf(text, ['9', '10', '11', 'x'])).toEqual(expected);
});

test('COLD_STORE_SEGMENT becomes rules of the cold tier, which stand before those for copies', () => {
  const { rules, copies } = translateOriginalRules('lambda s: 2', 'lambda s: s.isnumeric() and int(s) <= 1000', 9);
  expect({ rules, copies }).toEqual({ rules: [{ to: '1000', tier: 'cold' }], copies: 2 });
  expect(translateOriginalRules(undefined, 'lambda s: False', 4)).toEqual({ rules: [], copies: 4 });
  expect(translateOriginalRules(undefined, true, 4)).toEqual({ rules: [{ tier: 'cold' }], copies: 4 });
  expect(translateOriginalRules(undefined, undefined, 4)).toEqual({ rules: [], copies: 4 });
});

test.each([
  'lambda s: __import__("os").system("true")',
  'lambda s: 2 if s.startswith("x") else 1',
  'lambda s: 2 if s.isnumeric() or int(s) > 1 else 1',
  'lambda s: 2 if not s.isnumeric() else 1',
  'lambda s: 2 if int(t) > 1 else 1',
  'lambda s: 2 if int(s) > 1',
  'lambda s: 2 if int(s) != 1 else 1',
  'lambda if: 1',
  'lambda s: 0',
  'lambda s: 2 if int(s) > 1 else 1 1',
  'lambda: 2',
  '',
  '('.repeat(10_000),
])('%j is refused with its text and what to write by hand', (text) => {
  const refused = { code: 'CONFIG_INVALID', message: expect.stringMatching(/rules: \[/) as string };
  expect(() => translateLambda('MINIMUM_ASSIGNMENTS', text)).toThrow(expect.objectContaining(refused));
  expect(() => translateLambda('MINIMUM_ASSIGNMENTS', text)).toThrow(text.slice(0, 100));
});

test('a lambda for the cold tier that says other things than cold or not is refused', () => {
  expect(() => translateLambda('COLD_STORE_SEGMENT', 'lambda s: 3')).toThrow('COLD_STORE_SEGMENT cannot be translated');
  expect(() => translateOriginalRules(undefined, 'lambda s: False if int(s) > 5 else True', 1)).toThrow(
    'COLD_STORE_SEGMENT cannot be translated',
  );
});
