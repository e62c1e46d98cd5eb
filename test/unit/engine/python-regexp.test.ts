import { expect, test } from 'vitest';
import { compilePythonRegexp } from '../../../src/engine/python-regexp.ts';

/** Pattern, text, and what Python 3.11's re.search says: found, or not. */
const CASES: [string, string, boolean][] = [
  ['(?m)^b$', 'a\nb\nc', true],
  ['^b$', 'a\nb\nc', false],
  ['a.b', 'a\rb', true],
  ['a.b', 'a\nb', false],
  ['(?s)a.b', 'a\nb', true],
  ['(?s:.)', '\n', true],
  ['ab\\Z', 'ab\n', false],
  ['^\\w$', 'é', true],
  ['(?a)^\\w$', 'é', false],
  ['\\bfoo\\b', 'é foo', true],
  ['\\bé', 'aé', false],
  ['[]a]', ']', true],
  ['[^]a]', 'b', true],
  ['[a-]', '-', true],
  ['[\\W]', 'é', false],
  ['[^\\W\\d]', '5', false],
  ['x{', 'x{', true],
  ['^x{,2}y', 'xxy', true],
  ['x{a}', 'x{a}', true],
  ['(?P<q>a)(?P=q)', 'aa', true],
  ['(["\'])x\\1', "'x'", true],
  ['(?x) a b # c\n c', 'abc', true],
  ['(?i:A)b', 'ab', true],
  ['(?i:A)b', 'aB', false],
  ['\\07', '\x07', true],
  ['\\101', 'A', true],
  ['\\x41\\u0042', 'AB', true],
  ['\\-\\/\\#', '-/#', true],
  ['(?#x)a', 'a', true],
  ['[a&&b]', '&', true],
  ['[+--]', ',', true],
  ['^.$', '😀', true],
  ['\\s', '\x1c', true],
  ['\\s', '\ufeff', false],
  ['(?<!a)b', 'ab', false],
  ['', 'x', true],
  ['}', '}', true],
  ['a??', 'a', true],
  ['\\d', '٣', true],
  ['\\B', '', false],
  ['(?i)i', 'İ', true],
  ['(?i)[h-j]', 'ı', true],
  ['(?i)k', '\u212a', true],
  ['(?ai)k', '\u212a', false],
  ['(?i)σ', 'ς', true],
  ['(?i)[^ς]', 'Σ', false],
  ['(?m)$^', '😀', false],
  ['(?!\\w)(?<!\\w)', '𝟘', false],
];

test.each(CASES)('%j finds something in %j: %j', (pattern, text, found) => {
  expect(compilePythonRegexp(pattern).test(text)).toBe(found);
});

test.each([
  '(',
  'a)',
  '*a',
  'a**',
  '^*',
  '\\b+',
  '[',
  '[z-a]',
  '[a--b]',
  '\\q',
  'a{2,1}',
  '\\8',
  '(?P<a>x)(?P<a>y)',
  'a(?i)b',
  '(?L)a',
  '(?P=x)',
  '(a\\1)',
])('%j is refused, as Python refuses it', (pattern) => {
  expect(() => compilePythonRegexp(pattern)).toThrow();
});

test.each(['(?(1)a|b)', 'a++', '(?>a)b', '\\N{DIGIT ONE}', '(a)?\\1b', '(?:(a)|b)\\1', '(?i)(a)\\1'])(
  '%j cannot be said in JavaScript and is refused',
  (pattern) => {
    expect(() => compilePythonRegexp(pattern)).toThrow(SyntaxError);
  },
);
