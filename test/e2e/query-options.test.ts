import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RawAnswer, rawCall } from '../support/raw-call.ts';
import { KNOWN, requestTarget, type RequestTarget, statement } from '../support/request-target.ts';

let target: RequestTarget;

const ROUTE = `/v1/segments/${KNOWN}/query`;

beforeAll(async () => {
  target = await requestTarget();
  for (const sql of ['create table v (id integer primary key, i, r, t, b)', FIRST, SECOND]) {
    const { status, text } = await target.write(`v1/segments/${KNOWN}/write`, statement(sql));
    if (status !== 200) throw new Error(text);
  }
});

const FIRST = `insert into v values (1, 9223372036854775807, 1.0, 'é"' || char(10, 0, 55357), x'00ff')`;
const SECOND = `insert into v values (2, -9007199254740993, 9e999, '', x'c3a9'), (3, null, -0.0, null, null)`;

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

function asked(body: unknown, headers: Record<string, string> = {}, parameters = ''): Promise<RawAnswer> {
  const url = new URL(`${ROUTE}${parameters}`, target.run.ready.urls.read);
  return rawCall(url, typeof body === 'string' ? body : JSON.stringify(body), headers);
}

async function rowsOf(body: unknown): Promise<unknown> {
  const { text } = await asked(body);
  return (JSON.parse(text) as { rows: unknown }).rows;
}

const LAST = '"segment":"known","version":"live-1","node":"n1"';

describe('one answer in each form', () => {
  const sql = 'select i, r, t, b from v order by id';

  it.each([
    [
      'json',
      'application/json',
      `{"columns":["i","r","t","b"],"rows":[[9223372036854775807,1.0,"é\\"\\n\\u0000���",{"base64":"AP8="}],\n` +
        `[-9007199254740993,null,"",{"base64":"w6k="}],\n[null,-0.0,null,null]],${LAST},"truncated":false}\n`,
    ],
    [
      'ndjson',
      'application/x-ndjson',
      `{"i":9223372036854775807,"r":1.0,"t":"é\\"\\n\\u0000���","b":{"base64":"AP8="}}\n` +
        `{"i":-9007199254740993,"r":null,"t":"","b":{"base64":"w6k="}}\n{"i":null,"r":-0.0,"t":null,"b":null}\n` +
        `{"_trough":{"summary":{"rows":3,"truncated":false,${LAST}}}}\n`,
    ],
    [
      'csv',
      'text/csv; charset=utf-8',
      `i,r,t,b\r\n9223372036854775807,1.0,"é""\n\0���",AP8=\r\n-9007199254740993,,"",w6k=\r\n,-0.0,,\r\n`,
    ],
  ])('%s is %s', async (format, type, text) => {
    const got = await asked({ sql, format });
    expect([got.status, got.headers['content-type'], got.text]).toEqual([200, type, text]);
    expect(got.headers['trough-node']).toBe('n1');
    const byHeader = await asked({ sql }, { Accept: `text/html, ${type.split(';')[0] ?? ''};q=0.9, */*;q=0.1` });
    expect([byHeader.headers['content-type'], byHeader.text]).toEqual([type, text]);
  });

  it('the route of the original has ASCII alone, and a BLOB that is UTF-8 as text', async () => {
    const { text } = await target.read(`?segment=${KNOWN}`, {
      body: 'select id, i, t, b from v where id > 1 order by id',
    });
    expect(text).toBe('[{"id":2,"i":-9007199254740993,"t":"","b":"\\u00e9"},\n{"id":3,"i":null,"t":null,"b":null}]\n');
  });

  it.each([
    ['select b from v where id = 1', 'a BLOB that is not UTF-8 has no form in JSON'],
    ['select r from v where id = 2', 'an infinite REAL has no form in JSON'],
  ])('the route of the original has no form for %s', async (body, words) => {
    const got = await target.read(`?segment=${KNOWN}`, { body });
    expect([got.status, got.text]).toEqual([500, `500 Server Error: ${words}\n`]);
  });
});

describe('columns of any name', () => {
  const sql = 'select 1 as a, 2 as "", 3 as a, 4 as "10", 5 as "__proto__", 6 as "rows", 7 as ""';

  it('are all there in /v1, in their order', async () => {
    const { text } = await asked({ sql });
    expect(text).toContain('{"columns":["a","","a","10","__proto__","rows",""],"rows":[[1,2,3,4,5,6,7]],');
  });

  it('are once each on the route of the original: the place of the first, the value of the last', async () => {
    const { text } = await target.read(`?segment=${KNOWN}`, { body: sql });
    expect(text).toBe('[{"a":3,"":7,"10":4,"__proto__":5,"rows":6}]\n');
  });
});

describe('options', () => {
  it.each([
    ['params in order', { sql: 'select ?, ?, ?', params: [1, 'x', null] }, [[1, 'x', null]]],
    ['params by number', { sql: 'select ?2, ?1', params: ['a', 'b'] }, [['b', 'a']]],
    ['params by name', { sql: 'select :a, @b, $c, :a', params: { a: 1, b: true, c: 2.5 } }, [[1, 1, 2.5, 1]]],
    ['a BLOB', { sql: 'select hex(?), ?1', params: [{ base64: 'AP8=' }] }, [['00FF', { base64: 'AP8=' }]]],
    ['text with NUL', { sql: 'select hex(?)', params: ['a\0b'] }, [['610062']]],
    ['a lone surrogate', { sql: 'select hex(?)', params: ['\ud800'] }, [['EFBFBD']]],
    ['no params', { sql: 'select 1', params: [] }, [[1]]],
    ['most rows', { sql: 'values (1), (2), (3)', maxRows: 2 }, [[1], [2]]],
    ['a nearest copy', { sql: 'select 1', consistency: 'any' }, [[1]]],
    ['a long deadline', { sql: 'select 1', deadlineMs: Number.MAX_SAFE_INTEGER }, [[1]]],
  ])('%s', async (_, body, rows) => {
    expect(await rowsOf(body)).toEqual(rows);
  });

  it('all 64 bits of an integer go in and come out', async () => {
    const { text } = await asked('{"sql":"select ?, typeof(?1)","params":[-9223372036854775808]}');
    expect(text).toContain('[[-9223372036854775808,"integer"]]');
  });

  it.each([
    ['[5, 5.0, 5e0, -5, 0.5, 5E-1]', 'integer real real integer real real'],
    ['[9007199254740993, 9007199254740993.0, 1e3, -0, -0.0, true]', 'integer real real integer real integer'],
  ])('a number with a point or an exponent is REAL, another an INTEGER: %s', async (params, types) => {
    const { text } = await asked(
      `{"sql":"select ${Array(6).fill('typeof(?)').join(" || ' ' || ")}","params":${params}}`,
    );
    expect(text).toContain(`[["${types}"]]`);
  });

  it('integers beyond 2^53 are texts for those who ask for that', async () => {
    const { text } = await asked({ sql: 'select i from v where id < 3' }, {}, '?bigints=string');
    expect(text).toContain('[["9223372036854775807"],\n["-9007199254740993"]]');
  });

  it('an answer that was cut short says so', async () => {
    const { text } = await asked({ sql: 'values (1), (2)', maxRows: 1 });
    expect(text).toContain('"truncated":true');
    expect((await asked({ sql: 'values (1), (2)', maxRows: 2 })).text).toContain('"truncated":false');
  });

  it('a deadline ends the query', async () => {
    const sql = 'with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c';
    const { status, headers } = await asked({ sql, deadlineMs: 200 });
    expect([status, headers['trough-error']]).toEqual([504, 'ENGINE_DEADLINE']);
  });
});

const Q = { sql: 'select 1' };

describe('what is wrong is refused by its name', () => {
  it.each<[unknown, string]>([
    [{}, "'sql'"],
    [{ sql: 5 }, "'sql'"],
    [{ sql: ['select 1'] }, "'sql'"],
    [{ sql: null }, "'sql'"],
    [{ ...Q, params: 'x' }, "'params': must be a list of values, or an object of values by name"],
    [{ ...Q, params: 5 }, "'params': must be"],
    [{ ...Q, params: null }, "'params': must be"],
    [{ ...Q, params: [[1]] }, "'params.0': must be null, a number, a string, a boolean or"],
    [{ ...Q, params: { a: {} } }, "'params.a"],
    [{ ...Q, params: [{ base64: '*' }] }, "'params.0.base64'"],
    ['{"sql":"select ?","params":[9223372036854775808]}', "'params.0'"],
    ['{"sql":"select ?","params":[1e999]}', "'params.0'"],
    [{ ...Q, deadlineMs: '5' }, "'deadlineMs'"],
    [{ ...Q, deadlineMs: 0 }, "'deadlineMs'"],
    [{ ...Q, deadlineMs: -1 }, "'deadlineMs'"],
    [{ ...Q, deadlineMs: 1.5 }, "'deadlineMs'"],
    [{ ...Q, deadlineMs: null }, "'deadlineMs'"],
    [{ ...Q, consistency: 'weak' }, "'consistency'"],
    [{ ...Q, consistency: true }, "'consistency'"],
    [{ ...Q, maxRows: 0 }, "'maxRows'"],
    [{ ...Q, maxRows: '1' }, "'maxRows'"],
    [{ ...Q, maxRows: 1.5 }, "'maxRows'"],
    [{ ...Q, format: 'xml' }, "'format'"],
    [{ ...Q, format: ['csv'] }, "'format'"],
    [{ ...Q, maxrows: 1 }, '"maxrows"'],
    [[Q], 'the body is wrong'],
    ['null', 'the body is wrong'],
    ['', 'the body is not JSON'],
    ['{"sql":"select 1"', 'the body is not JSON'],
  ])('%j', async (body, words) => {
    const { status, headers, text } = await asked(body);
    expect([status, headers['trough-error']]).toEqual([400, 'REQUEST_INVALID']);
    expect((JSON.parse(text) as { error: { message: string } }).error.message).toContain(words);
  });

  it.each([
    ['?bigints=hex', "the URL parameters are wrong at 'bigints'"],
    ['?limit=5', 'the URL parameters are wrong: Unrecognized key: "limit"'],
  ])('%s', async (parameters, words) => {
    const { status, text } = await asked(Q, {}, parameters);
    expect([status, text]).toEqual([400, expect.stringContaining(JSON.stringify(words).slice(1, -1)) as string]);
  });

  it.each<[object, string]>([
    [{ sql: 'select ?' }, 'The current statement uses 1, and there are 0 supplied.'],
    [{ sql: 'select ?', params: [1, 2] }, 'The current statement uses 1, and there are 2 supplied.'],
    [{ sql: 'select :a', params: { b: 1 } }, 'You did not supply a value for binding parameter :a.'],
  ])('%j', async (body, words) => {
    const { status, headers, text } = await asked(body);
    expect([status, headers['trough-error'], text]).toEqual([400, 'SQL_INVALID', expect.stringContaining(words)]);
  });
});

describe('a large answer is packed for those who take it', () => {
  const rows = 'with recursive c(x) as (select 1 union all select x + 1 from c limit 100000)';
  const sql = `${rows} select x, 'some text' as t from c`;

  it.each([
    ['gzip;q=0.5, identity;q=0.1', 'gzip', gunzipSync],
    ['gzip, zstd', 'zstd', zstdDecompressSync],
    ['gzip;q=0, zstd;q=0', undefined, (bytes: Buffer) => bytes],
  ])('%s', async (accept, encoding, unpack) => {
    for (const limit of [2_000, 100_000]) {
      const plain = await asked({ sql, maxRows: limit, format: 'csv' });
      const { headers, bytes } = await asked({ sql, maxRows: limit, format: 'csv' }, { 'Accept-Encoding': accept });
      expect(headers['content-encoding']).toBe(encoding);
      expect(headers.vary).toContain('Accept-Encoding');
      expect(unpack(bytes).equals(plain.bytes)).toBe(true);
    }
  });
});
