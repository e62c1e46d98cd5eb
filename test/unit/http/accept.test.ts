import { describe, expect, test } from 'vitest';
import { preferred, weightOf } from '../../../src/http/accept.ts';

const TYPES = [
  ['json', 'application/json'],
  ['ndjson', 'application/x-ndjson', 'application/jsonl'],
  ['csv', 'text/csv'],
] as const;

describe('of JSON, NDJSON and CSV', () => {
  test.each([
    ['text/csv', 'csv'],
    ['TEXT/CSV; header=present', 'csv'],
    ['*/*', 'json'],
    ['text/*', 'csv'],
    ['application/*', 'json'],
    ['application/jsonl', 'ndjson'],
    ['text/csv, application/json', 'csv'],
    ['application/json, text/csv', 'json'],
    ['application/json;q=0.5, text/csv;q=0.9', 'csv'],
    ['text/csv;q=0.1, */*;q=0.8', 'json'],
    ['application/json;q=0, */*', 'ndjson'],
    ['*/*, text/csv', 'csv'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'json'],
    ['text/csv;q=nonsense', 'csv'],
    ['text/csv;q=0.000', undefined],
    ['text/html', undefined],
    ['', undefined],
    [',;,', undefined],
  ])('%j likes %s best', (header, name) => {
    expect(preferred(header, TYPES)).toBe(name);
  });
});

test('a weight is that of the exact name', () => {
  const header = 'gzip;q=0.5, *;q=0.1, identity; q=0, br';
  expect(['gzip', '*', 'identity', 'br', 'zstd'].map((name) => weightOf(header, name))).toEqual([
    0.5,
    0.1,
    0,
    1,
    undefined,
  ]);
});
