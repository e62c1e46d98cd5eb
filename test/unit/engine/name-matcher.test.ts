import { expect, test } from 'vitest';
import { nameMatcher } from '../../../src/engine/name-matcher.ts';

const invalid = expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error;

test('finds names as REGEXP in SQL does: anywhere in them, in the syntax of Python', () => {
  const names = ['2024-01', '2024-02', 'x2024', 'Oslo'];
  expect([...nameMatcher('^2024')(names)]).toEqual(['2024-01', '2024-02']);
  expect([...nameMatcher(String.raw`(?i)OSLO\Z`)(names)]).toEqual(['Oslo']);
  expect([...nameMatcher('')(names)]).toEqual(names);
  expect([...nameMatcher('nothing')(names)]).toEqual([]);
  expect([...nameMatcher('x')([])]).toEqual([]);
});

test('refuses what is no pattern', () => {
  expect(() => nameMatcher('(')).toThrow(invalid);
});

test('ends a search that would never end', () => {
  const search = nameMatcher('(a+)+$');
  expect(() => search([`${'a'.repeat(100)}!`])).toThrow(invalid);
  expect([...search(['aaa'])]).toEqual(['aaa']);
});
