import { expect, test } from 'vitest';
import { bindValue, type Column, readField, TypeFinder } from '../../../../src/cli/import/column-types.ts';

function typeOfFields(fields: readonly string[]): string {
  const finder = new TypeFinder();
  for (const field of fields) finder.add(readField(field), field);
  return finder.type;
}

test.each([
  [['1', '-2', '0'], 'INTEGER'],
  [['1', '', '2'], 'INTEGER'],
  [['9223372036854775807'], 'INTEGER'],
  [['9223372036854775808'], 'TEXT'],
  [['1', '2.5'], 'REAL'],
  [['1.0', '2.0'], 'REAL'],
  [['1e3', '-2E-7'], 'REAL'],
  [['9007199254740993', '0.5'], 'TEXT'],
  [['007', '8'], 'TEXT'],
  [['+1'], 'TEXT'],
  [['1', 'x'], 'TEXT'],
  [['', ''], 'TEXT'],
  [['NaN'], 'TEXT'],
  [['1e999'], 'TEXT'],
  [['2012-01-01'], 'TEXT'],
])('the fields %j make a column of %s', (fields, type) => {
  expect(typeOfFields(fields)).toBe(type);
});

const column = (type: Column['type'], isGiven = false): Column => ({ name: 'c', type, isGiven });

test.each([
  ['INTEGER', '12', { value: 12 }],
  ['INTEGER', '9007199254740993', { value: 9007199254740993n }],
  ['INTEGER', '', { value: null }],
  ['INTEGER', 'n/a', { value: 'n/a' }],
  ['REAL', '0.5', { value: 0.5 }],
  ['TEXT', '007', { value: '007' }],
  ['TEXT', '1.50', { value: '1.50' }],
] as const)('a %s column takes %j', (type, field, expected) => {
  expect(bindValue(readField(field), column(type), field)).toEqual(expected);
});

test.each([
  ['INTEGER', '007', { value: 7 }],
  ['INTEGER', ' +5', { value: 5 }],
  ['REAL', '.5', { value: 0.5 }],
] as const)('a given %s makes a number of %j', (type, field, expected) => {
  expect(bindValue(readField(field), column(type, true), field)).toEqual(expected);
});

test.each([
  ['INTEGER', '1.5'],
  ['INTEGER', 'x'],
  ['INTEGER', '9223372036854775808'],
  ['REAL', 'x'],
] as const)('a given %s refuses %j', (type, field) => {
  expect(bindValue(readField(field), column(type, true), field)).toHaveProperty('bad');
});

test('values of JSON become values of SQL', () => {
  expect(bindValue(true, column('INTEGER'))).toEqual({ value: 1 });
  expect(bindValue({ a: [1] }, column('TEXT'))).toEqual({ value: '{"a":[1]}' });
  expect(bindValue(5, column('TEXT'))).toEqual({ value: '5' });
  expect(bindValue('', column('TEXT'))).toEqual({ value: '' });
  expect(bindValue('\ud800', column('TEXT'))).toHaveProperty('bad');
});
