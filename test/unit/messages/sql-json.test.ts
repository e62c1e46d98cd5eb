import { expect, test } from 'vitest';
import { parseSqlJson } from '../../../src/messages/sql-json.ts';
import { formatExactJson, parseMarkedJson } from '../../../src/model/exact-json.ts';

test.each<[string, unknown]>([
  ['5', 5n],
  ['-5', -5n],
  ['0', 0n],
  ['-0', 0n],
  ['9007199254740993', 9007199254740993n],
  ['5.0', 5],
  ['5e0', 5],
  ['50E-1', 5],
  ['-0.0', -0],
  ['1e21', 1e21],
  ['9007199254740993.0', 9007199254740992],
  ['1.5', 1.5],
  ['"5"', '5'],
  ['true', true],
  ['null', null],
  ['{"base64":"AA=="}', { base64: 'AA==' }],
])('the parameter %s', (json, value) => {
  expect(parseSqlJson(`{"params":[${json}]}`)).toEqual({ params: [value] });
  expect(parseSqlJson(`{"statements":[{"sql":"5.0 \\"params\\":","params":{"a":${json}}}]}`)).toEqual({
    statements: [{ sql: '5.0 "params":', params: { a: value } }],
  });
});

test('elsewhere a number is a number, however it is written', () => {
  expect(parseSqlJson('{"deadlineMs":1e3,"maxRows":5.0,"n":[7],"params":[7]}')).toEqual({
    ...{ deadlineMs: 1000, maxRows: 5, n: [7] },
    params: [7n],
  });
});

test.each(['5', '5.0', '-0.0', '1000.0', '1e+21', '9007199254740993', '1.5', '"5.0"'])(
  'what was read marked is written as the same number: %s',
  (json) => {
    expect(formatExactJson(parseMarkedJson(json))).toBe(json);
  },
);

test.each(['{', '{"params":[5.0}', `${'['.repeat(200_000)}5.0`])('what is not JSON is refused', (text) => {
  expect(() => parseSqlJson(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error);
});

test('what is nested deeper than the stack is refused', () => {
  const text = `{"params":${'['.repeat(100_000)}5${']'.repeat(100_000)}}`;
  expect(() => parseSqlJson(text)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }) as Error);
});
