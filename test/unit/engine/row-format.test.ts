import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type SqlValue } from '../../../src/model/sql-types.ts';
import { createRowWriter, realText } from '../../../src/engine/row-format.ts';

function written(
  format: 'legacy' | 'rows' | 'ndjson' | 'csv',
  columns: string[],
  rows: SqlValue[][],
  bigints: 'digits' | 'string' = 'digits',
): string {
  const writer = createRowWriter(format, columns, bigints);
  const text = writer.head + rows.map((row, index) => writer.row(row, index === 0)).join('');
  return Buffer.from(text, writer.encoding).toString('utf8');
}
const legacy = (value: SqlValue): string => written('legacy', ['x'], [[value]]);

describe('legacy rows', () => {
  test.each<[SqlValue, string]>([
    [null, 'null'],
    [9223372036854775807n, '9223372036854775807'],
    [-9223372036854775808n, '-9223372036854775808'],
    [1, '1.0'],
    [-0, '-0.0'],
    [-3, '-3.0'],
    [1e300, '1e300'],
    [1e22, '1e22'],
    [1e21, '1e21'],
    [1e20, '100000000000000000000.0'],
    [1e15, '1000000000000000.0'],
    [9223372036854775808, '9223372036854776000.0'],
    [2.5e-7, '2.5e-7'],
    [0.000001, '0.000001'],
    [1e-300, '1e-300'],
    [0.1, '0.1'],
    [5e-324, '5e-324'],
    ['héllo 世界', '"h\\u00e9llo \\u4e16\\u754c"'],
    ['😀', '"\\ud83d\\ude00"'],
    ['\ud800', '"\\ud800"'],
    ['http://a/b </script>', '"http://a/b </script>"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\t\n\r\u0001\b\f', '"\\t\\n\\r\\u0001\\b\\f"'],
    ['\u007f', '"\u007f"'],
    ['a\0b', '"a\\u0000b"'],
    ['', '""'],
    [Buffer.from('AB'), '"AB"'],
    [Buffer.alloc(0), '""'],
    [Buffer.from('é'), '"\\u00e9"'],
  ])('%s is written as %s', (value, text) => {
    expect(legacy(value)).toBe(`{"x":${text}}`);
  });

  test.each<[string, SqlValue]>([
    ['a BLOB that is not UTF-8', Buffer.from('00ff41', 'hex')],
    ['infinity', Infinity],
    ['minus infinity', -Infinity],
  ])('%s ends the answer', (_, value) => {
    expect(() => legacy(value)).toThrow(expect.objectContaining({ code: 'SQL_FAILED' }) as Error);
  });

  test('stand in column order, joined by a comma and a line end', () => {
    expect(
      written(
        'legacy',
        ['f', 'é'],
        [
          [1, 'a'],
          [2, null],
        ],
      ),
    ).toBe('{"f":1.0,"\\u00e9":"a"},\n{"f":2.0,"\\u00e9":null}');
  });

  test('of columns with one name keep the first place and the last value', () => {
    expect(written('legacy', ['a', 'b', 'a'], [[1n, 2n, 3n]])).toBe('{"a":3,"b":2}');
  });

  test('are ASCII whatever the text, and read back as the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const out = legacy(text);
        expect(/^[\u0000-\u007f]*$/.test(out)).toBe(true);
        expect((JSON.parse(out) as { x: string }).x).toBe(text);
      }),
    );
  });
});

test('every REAL reads back as the same number, and looks like one', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = realText(value);
      expect(Object.is(Number(text), value)).toBe(true);
      expect(text).toMatch(/^-?\d+(\.\d+)?(e-?\d+)?$/);
      expect(text).toMatch(/[.e]/);
    }),
  );
});

test('rows are arrays, with BLOB as base64, infinity as null, and big integers as asked', () => {
  const row: SqlValue[] = [9007199254740993n, 5n, 1.5, Infinity, Buffer.from([0, 255]), 'é"', null];
  const columns = row.map((_, index) => `c${String(index)}`);
  expect(written('rows', columns, [row, row])).toBe(
    '[9007199254740993,5,1.5,null,{"base64":"AP8="},"é\\"",null],\n[9007199254740993,5,1.5,null,{"base64":"AP8="},"é\\"",null]',
  );
  expect(written('rows', columns, [row], 'string')).toContain('"9007199254740993",5,');
});

test('ndjson has one object on each line', () => {
  expect(
    written(
      'ndjson',
      ['a', 'b'],
      [
        [1n, 'x\ny'],
        [2n, null],
      ],
    ),
  ).toBe('{"a":1,"b":"x\\ny"}\n{"a":2,"b":null}\n');
});

test('a column of NDJSON that has the name of what is no row does not look like it, and is the same in JSON', () => {
  const line = written('ndjson', ['_trough', 'a'], [[1n, 2n]]);
  expect(line.startsWith('{"_trough"')).toBe(false);
  expect(JSON.parse(line)).toEqual({ _trough: 1, a: 2 });
});

test('csv follows RFC 4180, with its names first also when there are no rows, and tells an empty text from NULL', () => {
  expect(written('csv', ['a', 'b,"c"'], [])).toBe('a,"b,""c"""\r\n');
  expect(
    written(
      'csv',
      ['a', 'b'],
      [
        ['x,"y"\n', null],
        ['', Buffer.from([1])],
      ],
    ),
  ).toBe('a,b\r\n"x,""y""\n",\r\n"",AQ==\r\n');
});
