import { describe, expect, test } from 'vitest';
import { type SqlValue } from '../../../src/model/sql-types.ts';
import { SQL_FUNCTIONS } from '../../../src/engine/sql-functions.ts';

function call(name: string, ...values: SqlValue[]): SqlValue {
  const found = SQL_FUNCTIONS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found.run(...values);
}

describe('REGEXP', () => {
  test.each<[SqlValue, SqlValue, bigint]>([
    ['a', 'cat', 1n],
    ['^a', 'cat', 0n],
    ['cat', '^c', 0n],
    ['archive\\.org', 'http://archive.org/x', 1n],
    ['a', null, 0n],
    ['cat', 'CAT', 0n],
    ['(?i)cat', 'CAT', 1n],
    ['(?P<l>[a-z]+)(?P<d>\\d+)', 'ab12', 1n],
    ['foo(?=bar)', 'foobaz', 0n],
    ['\\Aab\\Z', 'ab', 1n],
    ['ab$', 'ab\n', 1n],
  ])('%s on %s is %s', (pattern, value, found) => {
    expect(call('regexp', pattern, value)).toBe(found);
  });

  test.each<[SqlValue, SqlValue]>([
    ['(', 'a'],
    ['1', 12n],
    [null, 'a'],
    ['a', Buffer.from('a')],
  ])('%s on %s fails', (pattern, value) => {
    expect(() => call('regexp', pattern, value)).toThrow();
  });
});

describe('SEEDCRAWLEDSTATUS', () => {
  test.each<[SqlValue, string]>([
    [200n, 'Crawled'],
    [1n, 'Crawled'],
    [299n, 'Crawled'],
    [301n, 'Redirected'],
    [399n, 'Redirected'],
    [404n, 'Crawled (HTTP error 404)'],
    [503n, 'Crawled (HTTP error 503)'],
    [0n, 'Not crawled (queued)'],
    [-5003n, 'Not crawled (queued)'],
    [-5004n, 'Not crawled (queued)'],
    [-9998n, 'Not crawled (blocked by robots)'],
    [-1n, 'Not crawled (-1)'],
    [null, 'Not crawled (None)'],
    ['200', 'Crawled'],
    [' +2_00 ', 'Crawled'],
    ['\xa0200\x85', 'Crawled'],
    [200.9, 'Crawled'],
    [-0.5, 'Not crawled (queued)'],
  ])('of %s is %s', (value, status) => {
    expect(call('seedcrawledstatus', value)).toBe(status);
  });

  test.each<[SqlValue]>([['abc'], ['\ufeff200'], ['\x1c200'], [''], ['2.5'], [Infinity]])('of %s fails', (value) => {
    expect(() => call('seedcrawledstatus', value)).toThrow();
  });
});

describe('BUILDREDIRECTARRAY', () => {
  test.each<[string, SqlValue[], string]>([
    ['starts a list', ['http://a/', 301n, 'R', null], '[{"seed": "http://a/", "status": "Redirected"}]'],
    ['pads with null', ['http://a/', 200n, 'RRR', ''], '[null, null, {"seed": "http://a/", "status": "Crawled"}]'],
    [
      'keeps what is there',
      ['http://c/', 404n, 'RR', '[{"seed": "http://a/", "status": "Redirected"}]'],
      '[{"seed": "http://a/", "status": "Redirected"}, {"seed": "http://c/", "status": "Crawled (HTTP error 404)"}]',
    ],
    ['replaces its place', ['http://b/', 200n, 'R', '[1, 2, 3]'], '[{"seed": "http://b/", "status": "Crawled"}, 2, 3]'],
    [
      'escapes what is not ASCII',
      ['http://é/😀', 302n, 'RR', null],
      '[null, {"seed": "http://\\u00e9/\\ud83d\\ude00", "status": "Redirected"}]',
    ],
    [
      'overwrites the last one for an empty path',
      ['u', 200n, '', '[1.0, 1e400, {"b": 1, "1": "\u007f"}, 12345678901234567890, 1e16, 0.00001, true]'],
      '[1.0, Infinity, {"b": 1, "1": "\\u007f"}, 12345678901234567890, 1e+16, 1e-05, {"seed": "u", "status": "Crawled"}]',
    ],
  ])('%s', (_, values, text) => {
    expect(call('buildredirectarray', ...values)).toBe(text);
  });

  test('takes a list with texts of many megabytes', () => {
    const list = JSON.stringify(['x'.repeat(10_000_000), '\n'.repeat(2_000_000)]);
    expect(String(call('buildredirectarray', 'u', 200n, 'R', list))).toMatch(
      /^\[\{"seed": "u", "status": "Crawled"\}, "/,
    );
  });

  test.each<[string, SqlValue[]]>([
    ['an empty path and an empty list', ['u', 200n, '', null]],
    ['no path', ['u', 200n, null, null]],
    ['a number as path', ['u', 200n, 1n, null]],
    ['a list that is no JSON', ['u', 200n, 'R', '[1,]']],
    ['a list that is none', ['u', 200n, 'R', '{}']],
    ['a BLOB as address', [Buffer.from('u'), 200n, 'R', null]],
  ])('fails for %s', (_, values) => {
    expect(() => call('buildredirectarray', ...values)).toThrow();
  });
});
