import { isUtf8 } from 'node:buffer';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { otherSqlite, type Said } from '../../support/other-sqlite.ts';
import { testEngine } from './engine-fixture.ts';

/**
 * Every value that an answer tells, against what another SQLite says of the same query on the same file. What the two may differ in is not
 * asked: how a REAL is read from digits or written as some has changed between versions of SQLite, so REALs come from bound values.
 */

const other = otherSqlite();
const SEEDS = [1, 2, 3];
const ROWS = 60;
const EXPRESSIONS = 200;
const TYPES = ['', 'integer', 'text', 'real', 'blob', 'numeric'];

let at: Awaited<ReturnType<typeof testEngine>>;
beforeAll(async () => {
  at = await testEngine();
});
afterAll(() => at[Symbol.asyncDispose]());

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme-ascii' }),
  fc.constantFrom('', 'a\0b', '\ufeff', '\u007f', '"\\/\b\f\n\r\t', '12', '1e3', '-0', ' 7 ', 'é', '😀', 'ffff'),
);
const value = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.double({ noNaN: true }),
  fc.constantFrom(-0, 1, 5e-324, 1.7976931348623157e308, 1e15, 1e16, 1e21, 1e22, 0.1, Infinity, -Infinity),
  text,
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);
/** TEXT of any bytes, as only a cast makes it. */
const bytesOfText = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom('eda080', 'edb080', 'f0908d', 'c328', 'e28228', 'f48fbfbf', 'f4908080', 'c080', 'efbfbd', 'ff00fe')
    .map((hex) => Buffer.from(hex, 'hex')),
);

/** Rows of a table with a column of each declared type, and one of TEXT that is no UTF-8. */
function table(seed: number): string {
  const file = at.make(
    `t${String(seed)}`,
    `create table t (${TYPES.map((type, index) => `c${String(index)} ${type}`).join()}, raw)`,
  );
  const db = new Database(file);
  const insert = db.prepare(`insert into t values (?, ?, ?, ?, ?, ?, cast(? as text))`);
  const row = fc.tuple(...TYPES.map(() => value), bytesOfText);
  for (const values of fc.sample(row, { seed, numRuns: ROWS })) insert.run(...values);
  db.close();
  return file;
}

const operand = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }).map((number) => `(${String(number)})`),
  fc.integer({ min: -20, max: 20 }).map((number) => `(${String(number)})`),
  fc.integer({ min: -64, max: 64 }).map((number) => `(${(number / 8).toFixed(3)})`),
  fc.constantFrom(
    'null',
    "''",
    "'abc'",
    "'12'",
    "'é世'",
    "'x' || char(0) || 'y'",
    "x'00ff'",
    "x''",
    "cast(x'ff41' as text)",
    'char(55357)',
    '9e999',
    '1e15',
    '-9223372036854775808',
  ),
);
/** How a REAL is written as text is for each version to say. */
const asText = (sql: string): string => `iif(typeof(${sql}) = 'real', 'real', ${sql})`;
/** What gives the same in every version of SQLite, also for operands that make no sense. */
const { node: expression } = fc.letrec<{ node: string }>((tie) => {
  const node = tie('node');
  const operators = fc.constantFrom('+', '-', '*', '/', '%', '&', '|', '<<', '>>', '<', '=', 'is', 'and', 'or');
  return {
    node: fc.oneof(
      { maxDepth: 3 },
      operand,
      fc.tuple(node, operators, node).map(([a, operator, b]) => `(${a} ${operator} ${b})`),
      fc.tuple(fc.constantFrom('abs', 'typeof', 'not ', '- ', '~'), node).map(([name, a]) => `${name}(${a})`),
      fc
        .tuple(fc.constantFrom('length', 'hex', 'upper', 'unicode', 'trim', 'quote'), node)
        .map(([name, a]) => `${name}(${asText(a)})`),
      fc
        .tuple(fc.constantFrom('coalesce', 'nullif', 'min', 'max'), node, node)
        .map(([name, a, b]) => `${name}(${a}, ${b})`),
      fc.tuple(node, node).map(([a, b]) => `instr(${asText(a)}, ${asText(b)})`),
      fc.tuple(node, node).map(([a, b]) => `(${asText(a)} || ${asText(b)})`),
      fc.tuple(node, node, node).map(([a, b, c]) => `case when ${a} then ${b} else ${c} end`),
      node.map((a) => `cast(${a} as integer)`),
      node.map((a) => `cast(${asText(a)} as blob)`),
    ),
  };
});

/** What the answer must hold for a value: our rules for what JSON cannot say. */
function asJson({ type, value: told }: Said): string {
  if (type === 'null') return 'null';
  if (type === 'integer') return `integer ${told}`;
  if (type === 'blob') return `blob ${Buffer.from(told, 'hex').toString('base64')}`;
  if (type === 'text') return `text ${JSON.stringify(Buffer.from(told, 'hex').toString('utf8'))}`;
  const real = Buffer.from(told, 'hex').readDoubleBE(0);
  return Number.isFinite(real) ? `real ${Object.is(real, -0) ? '-0' : String(real)}` : 'null';
}

/** The original's rows: a BLOB that is UTF-8 is a text; undefined for what has no form there. */
function asLegacy(said: Said): string | undefined {
  const bytes = Buffer.from(said.value, 'hex');
  if (said.type === 'blob') return isUtf8(bytes) ? asJson({ type: 'text', value: said.value }) : undefined;
  return said.type === 'real' && !Number.isFinite(bytes.readDoubleBE(0)) ? undefined : asJson(said);
}

/** The values of an answer, with what their text shows of their type. */
function shown(json: string): unknown {
  return JSON.parse(json, ((_key: string, part: unknown, { source }: { source?: string }) => {
    if (part === null) return 'null';
    if (typeof part === 'number' && source !== undefined) {
      if (/^-?\d+$/.test(source)) return `integer ${source}`;
      return `real ${Object.is(part, -0) ? '-0' : String(part)}`;
    }
    if (typeof part === 'string') return `text ${JSON.stringify(part)}`;
    if (typeof part === 'object' && 'base64' in part) return `blob ${String(part.base64).slice(6, -1)}`;
    return part;
  }) as (key: string, part: unknown) => unknown);
}

async function ours(file: string, sql: string, format: 'rows' | 'legacy'): Promise<string | undefined> {
  try {
    const rows = shown(`[${await at.text({ file, sql, format })}]`) as [[string] | { v: string }];
    return Array.isArray(rows[0]) ? rows[0][0] : rows[0].v;
  } catch (error) {
    if (error instanceof TroughError && error.code === 'SQL_FAILED') return undefined;
    throw error;
  }
}

async function compare(file: string, queries: readonly string[]): Promise<readonly (Said | undefined)[]> {
  if (other === undefined) throw new Error('not expected');
  const wanted = other.ask(file, queries);
  expect(wanted.filter((said) => said !== undefined).length).toBeGreaterThan(queries.length / 2);
  for (const [index, sql] of queries.entries()) {
    const said = wanted[index];
    expect([sql, await ours(file, sql, 'rows')]).toEqual([sql, said && asJson(said)]);
    expect([sql, await ours(file, sql, 'legacy')]).toEqual([sql, said && asLegacy(said)]);
  }
  return wanted;
}

describe.skipIf(other === undefined)(`values are what ${other?.name ?? 'sqlite3, which is not here,'} says`, () => {
  test.each(SEEDS)('in tables of any values, seed %i', async (seed) => {
    const file = table(seed);
    const columns = [...TYPES.map((_, index) => `c${String(index)}`), 'raw'];
    const rows = Array.from({ length: ROWS }, (_, index) => String(index + 1));
    for (const name of columns) {
      const wanted = await compare(
        file,
        rows.map((row) => `select ${name} as v from t where rowid = ${row}`),
      );
      // Of many rows the answer is put together in another way.
      const all = await at.text({ file, sql: `select ${name} from t order by rowid`, format: 'rows' });
      expect(shown(`[${all}]`)).toEqual(wanted.map((said) => [said && asJson(said)]));
    }
  });

  test.each(SEEDS)('in expressions, seed %i', async (seed) => {
    const file = at.make(`e${String(seed)}`, 'create table t (a)');
    const expressions = fc.sample(expression, { seed, numRuns: EXPRESSIONS });
    await compare(
      file,
      expressions.map((each) => `select ${each} as v`),
    );
  });
});
