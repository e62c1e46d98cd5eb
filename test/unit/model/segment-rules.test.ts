import { expect, test } from 'vitest';
import { compileRules, mostCopies, SegmentRulesSchema } from '../../../src/model/segment-rules.ts';

const invalid = (message: string): unknown =>
  expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) as string });

test('without a rule that fits a segment is hot with the default number of copies', () => {
  expect(compileRules([], 2)('anything')).toEqual({ copies: 2, tier: 'hot' });
  expect(compileRules([{ match: 'x', copies: 5 }], 3)('anything')).toEqual({ copies: 3, tier: 'hot' });
});

test('the first rule that fits decides', () => {
  const treat = compileRules([{ match: '^daily-', copies: 3 }, { match: 'ly', copies: 4 }, { tier: 'cold' }], 2);
  expect(treat('daily-1').copies).toBe(3);
  expect(treat('hourly-1').copies).toBe(4);
  expect(treat('crawl-1')).toEqual({ copies: 2, tier: 'cold' });
});

test('bounds compare ids of digits as numbers, inclusive, and fit no other id', () => {
  const treat = compileRules([{ from: 9, to: '100', copies: 7 }], 1);
  expect(['8', '9', '00010', '100', '101', '10a', 'x10', ''].map((id) => treat(id).copies)).toEqual([
    1, 7, 7, 7, 1, 1, 1, 1,
  ]);
});

test('bounds hold beyond 2^53', () => {
  const treat = compileRules([{ from: '9007199254740993', copies: 7 }], 1);
  expect(treat('9007199254740992').copies).toBe(1);
  expect(treat('9007199254740993').copies).toBe(7);
  expect(treat('1'.repeat(128)).copies).toBe(7);
});

test('all conditions of one rule have to hold', () => {
  const treat = compileRules([{ match: '7$', from: 100, copies: 7 }], 1);
  expect(['107', '108', '7', 'x107'].map((id) => treat(id).copies)).toEqual([7, 1, 1, 1]);
});

test('a match that is no regular expression is refused by the number of its rule', () => {
  expect(() => compileRules([{ copies: 1 }, { match: '(' }], 1)).toThrow(invalid('rule 2'));
  expect(() => compileRules([{ from: 5, to: 4 }], 1)).toThrow(invalid('rule 1 fits no segment'));
});

test('the longest list that the rules can ask for counts hot rules and the default', () => {
  expect(mostCopies([{ copies: 3 }, { copies: 9, tier: 'cold' }], 2)).toBe(3);
  expect(mostCopies([{ copies: 1 }], 2)).toBe(2);
});

test('the schema takes rules as they are written in a settings file, and no unknown key', () => {
  expect(
    SegmentRulesSchema.parse([{ match: 'x', from: 1, to: '99999999999999999999', copies: 2, tier: 'hot' }]),
  ).toHaveLength(1);
  for (const bad of [{ copy: 1 }, { copies: 0 }, { copies: 1.5 }, { from: -1 }, { to: '1e3' }, { tier: 'warm' }]) {
    expect(SegmentRulesSchema.safeParse([bad]).success).toBe(false);
  }
});
