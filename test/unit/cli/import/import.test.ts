import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { tempDir } from '../../../support/temp-dir.ts';
import { cli, type CliRun } from '../cli-harness.ts';
import { FakeTrough } from '../fake-trough.ts';

const CSV = 'key,n,note\na,1,x\nb,2,\na,3,"y, z"\nc,4,w\n';

async function importText(
  fake: FakeTrough,
  text: string | Uint8Array,
  args: readonly string[] = [],
  name = 'in.csv',
): Promise<CliRun & { rejects: string }> {
  await using dir = await tempDir();
  const path = join(dir.path, name);
  await writeFile(path, text);
  const run = await cli(['import', path, '--segment-by', 'key', ...args], { env: fake.env });
  const rejects = existsSync(`${path}.rejects`) ? await readFile(`${path}.rejects`, 'utf8') : '';
  return { ...run, rejects };
}

test('a CSV goes into one segment per key, with types found and an empty field as NULL', async () => {
  await using fake = await FakeTrough.start();
  const run = await importText(fake, CSV, ['--segment-name', 'k-{key}', '--table', 't']);
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(run.out).toMatch(/^4 rows into 3 segments in .*; 0 bad rows\n$/);
  expect(fake.rows('k-a', 'select * from t')).toEqual([
    ['a', 1n, 'x'],
    ['a', 3n, 'y, z'],
  ]);
  expect(fake.rows('k-b', 'select n, note, typeof(n) from t')).toEqual([[2n, null, 'integer']]);
  expect([...fake.schemas.keys()].filter((id) => id !== 'default')).toEqual([
    expect.stringMatching(/^t-[0-9a-f]{12}$/),
  ]);
});

test.each([
  ['lines of JSON', 'in.ndjson', '{"key":"a","n":1}\n\n{"key":"b","n":2.5}\n{"n":9007199254740993,"key":"a"}'],
  ['a JSON array', 'in.json', ' [ {"key":"a","n":1},\n {"key":"b","n":2.5} , {"key":"a","n":9007199254740993}]\n'],
  ['TSV', 'in.tsv', 'key\tn\na\t1\nb\t2.5\na\t9007199254740993\n'],
  ['gzip', 'in.csv.gz', gzipSync('key;n\na;1\nb;2.5\na;9007199254740993\n')],
])('%s is read, all 64 bits of its integers', async (_, name, text) => {
  await using fake = await FakeTrough.start();
  const extra = name === 'in.csv.gz' ? ['--delimiter', ';'] : [];
  const run = await importText(fake, text, ['--types', 'n=TEXT', ...extra, '--promote'], name);
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(fake.rows('a', 'select n from "in"')).toEqual([['1'], ['9007199254740993']]);
  expect(fake.rows('b', 'select n from "in"')).toEqual([['2.5']]);
  expect(fake.promoted.sort()).toEqual(['a', 'b']);
});

test('integers beyond 2^53 keep their digits in an INTEGER column', async () => {
  await using fake = await FakeTrough.start();
  await importText(fake, 'key,n\na,9223372036854775807\na,-9007199254740993\n');
  expect(fake.rows('a', 'select n, typeof(n) from "in"')).toEqual([
    [9223372036854775807n, 'integer'],
    [-9007199254740993n, 'integer'],
  ]);
});

test('standard input is read to its end', async () => {
  await using fake = await FakeTrough.start();
  await using dir = await tempDir();
  const args = ['import', '-', '--segment-by', 'key', '--rejects', join(dir.path, 'r')];
  const run = await cli(args, { env: fake.env, stdin: CSV });
  expect(run.out).toMatch(/^4 rows into 3 segments/);
  expect(fake.rows('a', 'select count(*) from data')).toEqual([[2n]]);
});

test('bad rows are counted, shown, and written with their reasons; the others go in', async () => {
  await using fake = await FakeTrough.start();
  const text = 'key,n\na,1\n,2\na/b,3\na,4,5\na,x\na,"q"r\na,6\na,"7\n';
  const run = await importText(fake, text, ['--types', 'n=INTEGER']);
  expect(run.code).toBe(0);
  expect(run.out).toMatch(/^2 rows into 1 segment .*; 6 bad rows/);
  expect(run.err).toMatch(/6 bad rows were left out; all of them are in .*in\.csv\.rejects\n/);
  expect(run.err).toMatch(/line 5: has 3 fields, the header has 2/);
  expect(run.rejects.split('\n')[0]).toBe('key,n,reason');
  expect(run.rejects).toMatch(/^,2,"?line 3: key is empty/m);
  expect(run.rejects).toMatch(/^a\/b,3,"line 4: 'a\/b' is not a segment id/m);
  expect(run.rejects).toMatch(/^a,x,line 6: n: 'x' is not INTEGER$/m);
  expect(run.rejects).toMatch(/^"a,""7\n",line 9: a quote is opened and never closed$/m);
  expect(run.rejects.trim().split('\n')).toHaveLength(8);
  expect((await importText(fake, text, ['--types', 'n=INTEGER', '--strict'])).code).toBe(1);
});

test('a later value that its column would change makes a bad row, any other is kept as it is', async () => {
  await using fake = await FakeTrough.start();
  const sample = Array.from({ length: 1_000 }, (_, n) => `a,${String(n)}\n`).join('');
  const run = await importText(fake, `key,n\n${sample}a,word\na,007\na,2.5\na,99999999999999999999\n`);
  expect(run.err).toMatch(/2 bad rows/);
  expect(run.err).toMatch(/'007' would lose its zeros; give --types n=TEXT/);
  expect(run.err).toMatch(/'99999999999999999999' does not fit 64 bits/);
  expect(fake.rows('a', 'select n from "in" where typeof(n) <> \'integer\'')).toEqual([['word'], [2.5]]);
});

test('rows that the database refuses are found one by one, also on a resumed run', async () => {
  await using fake = await FakeTrough.start();
  await using dir = await tempDir();
  fake.schemas.set('mine', 'create table t (key text, n integer unique)');
  const path = join(dir.path, 'in.csv');
  await writeFile(path, 'key,n\na,1\na,2\na,1\na,3\na,4\na,2\na,5\na,6\n');
  const args = ['import', path, '--segment-by', 'key', '--schema', 'mine', '--table', 't', '--batch-rows', '4'];
  fake.beforeWrite = (_, write) => {
    if (fake.segments.has('a') && write > 9) throw new Error('disk I/O error: no such table');
  };
  const first = await cli(args, { env: fake.env });
  expect(first.code).toBe(1);
  expect(first.err).toMatch(/the same command with --resume goes on from here \(IMPORT_FAILED\)/);
  fake.beforeWrite = () => undefined;
  const second = await cli([...args, '--resume'], { env: fake.env });
  expect(second.code).toBe(0);
  expect(second.out).toMatch(/2 bad rows/);
  expect(fake.rows('a', 'select n from t')).toEqual([[1n], [2n], [3n], [4n], [5n], [6n]]);
  expect(await readFile(`${path}.rejects`, 'utf8')).toMatch(/^a,1,"?line 4: a: UNIQUE[^]*^a,2,"?line 7: a: UNIQUE/m);
});

test.each([
  ['nothing at all', '', [], /not even a header line/],
  ['another column', 'a,b\n1,2\n', [], /--segment-by: there is no column 'key'; the columns are a, b/],
  ['two columns of one name', 'key,Key\n1,2\n', [], /two columns are named 'Key'/],
  ['a template of another column', CSV, ['--segment-name', '{nokey}'], /there is no column 'nokey'/],
  ['a type of another column', CSV, ['--types', 'x=TEXT'], /--types: there is no column 'x'/],
  ['a type that is none', CSV, ['--types', 'n=NUMBER'], /is not COLUMN=INTEGER/],
  ['an unknown schema', CSV, ['--schema', 'nope'], /there is no schema 'nope'/],
  ['bytes that are not UTF-8', Buffer.from('key,n\n\xe9,1\n', 'latin1'), [], /is not UTF-8 .* iconv/],
  ['gzip that is cut off', gzipSync(CSV.repeat(100)).subarray(0, 60), [], /cannot be read/],
  ['half a JSON array', '[{"key":1},', [], /the text ends before the array does/],
])('%s: nothing is written and a sentence says why', async (_, text, args, expected) => {
  await using fake = await FakeTrough.start();
  const run = await importText(
    fake,
    text,
    args,
    typeof text === 'string' && text.startsWith('[') ? 'in.json' : 'in.csv',
  );
  expect(run.code).not.toBe(0);
  expect(run.err).toMatch(expected);
  expect(fake.writes).toBe(0);
});
