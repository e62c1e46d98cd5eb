import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { SQL_FUNCTIONS } from '../../../src/engine/sql-functions.ts';
import { type SqlValue } from '../../../src/model/sql-types.ts';
import { seeded } from './python-regexp-generator.ts';

/** The two functions as the original's behaviour is written down, in the language that it was observed in. */
const PROGRAM = `
import json, sys
def status(value):
    if value is None: return 'Not crawled (None)'
    value = int(value)
    if 300 <= value < 400: return 'Redirected'
    if value >= 400: return 'Crawled (HTTP error %s)' % value
    if value > 0: return 'Crawled'
    if value in (0, -5003, -5004): return 'Not crawled (queued)'
    if value == -9998: return 'Not crawled (blocked by robots)'
    return 'Not crawled (%s)' % value
def build(url, code, path, text):
    hop = len(path)
    entries = json.loads(text) if text else []
    if not isinstance(entries, list): raise TypeError()
    while len(entries) < hop: entries.append(None)
    entries[hop - 1] = {'seed': url, 'status': status(code)}
    return json.dumps(entries)
def call(name, values):
    try:
        return (status if name == 'seedcrawledstatus' else build)(*values)
    except Exception:
        return None
json.dump([call(name, values) for name, values in json.load(sys.stdin)], sys.stdout)
`;

type Call = readonly [name: string, values: readonly (string | number | null)[]];

const CODES = [null, 0, 1, 200, 299, 300, 301, 399, 400, 404, -1, -5003, -5004, -9998, -9999, 3.9, -3.9, 299.99, 1e20];
const CODE_TEXTS = [
  '200',
  ' 301 ',
  '+404',
  '-5003',
  '1_0',
  '_1',
  '1__0',
  '',
  ' ',
  'x',
  '3.9',
  '0x10',
  '\ufeff5',
  '\x1c7\x85',
  '00012',
  '- 1',
];
const PATHS = [null, 3, '', 'R', 'RR', 'LLR', '😀', 'é\u0301'];
const URLS = [
  'http://a/',
  'http://é/?q="x"\\',
  '\u0000\u001f\u007f\u0080\u2028',
  '😀',
  '\ud800',
  '',
  null,
  7,
  1.5,
  1.5e300,
  1e-7,
];
const ATOMS = [
  'null',
  'true',
  'false',
  '1',
  '-0',
  '-0.0',
  '1.0',
  '1e5',
  '1E+400',
  '-1e999',
  '0.1',
  '1e-7',
  '123456789012345678901234567890',
  'NaN',
  'Infinity',
  '-Infinity',
  '"a"',
  '"\\u00e9"',
  '"é"',
  '"\\ud83d\\ude00"',
  '"\\ud800"',
  '"\\/\\b\\n"',
  '"\u007f"',
  '01',
  '1.',
  '.5',
  '+1',
  "'a'",
  '"\t"',
  '"\\x"',
  'nul',
  '"',
  '',
  ' 1 ',
  '\u00a01',
];

function calls(count: number): Call[] {
  const random = seeded(77);
  const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const json = (depth: number): string => {
    if (depth === 0 || random(3) === 0) return one(ATOMS);
    const items = Array.from({ length: random(4) }, () => json(depth - 1));
    const space = one(['', ' ', '\n', '\t\r ']);
    if (random(2) === 0) return `[${space}${items.join(`${space},`)}${one(['', '', '', ',', ' '])}]`;
    return `{${items.map((item) => `${one(['"k"', '"k2"', '"__proto__"', '"1"', 'k', '1'])}${space}:${space}${item}`).join(',')}${space}}`;
  };
  const list = (): string | null => one([null, '', `[${json(2)}, ${json(2)}]`, `[${json(1)}]`, json(2)]);
  return Array.from({ length: count }, (): Call => {
    const code = random(3) === 0 ? one(CODE_TEXTS) : one(CODES);
    if (random(3) === 0) return ['seedcrawledstatus', [code]];
    return ['buildredirectarray', [one(URLS), code, one(PATHS), list()]];
  });
}

/** Integers are bigint in SQL; a number with a fraction, or one that has no integer, is REAL. */
function toSql(value: string | number | null): SqlValue {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function ours([name, values]: Call): SqlValue {
  const run = SQL_FUNCTIONS.find((each) => each.name === name)?.run;
  if (run === undefined) throw new Error(`no function ${name}`);
  try {
    return run(...values.map(toSql));
  } catch {
    return null;
  }
}

test('SEEDCRAWLEDSTATUS and BUILDREDIRECTARRAY say and refuse what Python does', (context) => {
  const all = calls(5_000);
  const run = spawnSync('python3', ['-c', PROGRAM], {
    input: JSON.stringify(all),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (run.error !== undefined) {
    context.skip('there is no python3');
    return;
  }
  const python = JSON.parse(run.stdout) as (string | null)[];
  const different = all
    .map((call, index) => ({ call, ours: ours(call), python: python[index] }))
    .filter((each) => each.ours !== each.python);
  expect(different.slice(0, 10)).toEqual([]);
  expect(python.filter((answer) => answer !== null).length).toBeGreaterThan(1_000);
});
