import { expect, test } from 'vitest';
import { withoutParentheses } from '../../../src/model/sql-parentheses.ts';

test.each([
  ['(select 1)', 'select 1'],
  ['( ( values (1) ) )', ' values (1) '],
  ['((select (1) + (2)))', 'select (1) + (2)'],
  ['/* c */ (with q as (select 1) select * from q) -- c', 'with q as (select 1) select * from q'],
  ['(select \')\' as "(" -- )\n)', 'select \')\' as "(" -- )\n'],
])('%j is %j', (sql, without) => {
  expect(withoutParentheses(sql)).toBe(without);
});

test.each([
  'select (1)',
  'select 1',
  '(select 1) union (select 2)',
  '((select 1) union (select 2)',
  '(select 1',
  '(select 1))',
  '(pragma user_version)',
  '(explain select 1)',
  '(insert into t values (1))',
  '()',
  '(',
  ')',
  '',
])('%j stays as it is', (sql) => {
  expect(withoutParentheses(sql)).toBe(sql);
});

test('a hundred thousand pairs take no longer than their text', () => {
  const many = 100_000;
  expect(withoutParentheses(`${'('.repeat(many)}select 1${')'.repeat(many)}`)).toBe('select 1');
});
