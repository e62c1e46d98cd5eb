import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpCall } from '../support/http-call.ts';
import { KNOWN, KNOWN_CONTENTS, requestTarget, type RequestTarget, statement } from '../support/request-target.ts';

let target: RequestTarget;

const BODY_LIMIT = 1_000_000;
const ONE_SELECT = 'Exactly one SELECT query per request, please.';

beforeAll(async () => {
  target = await requestTarget('--body-limit', '1MB');
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

describe('SQL that the reader does not take', () => {
  const NOT_ONE_SELECT = [
    'insert into t values (2)',
    'insert into t values (2) returning a',
    'update t set a = 2',
    'delete from t',
    'drop table t',
    'create table z (a)',
    'with q as (select 2) insert into t select * from q',
    "attach '/tmp/other' as other",
    "vacuum into '/tmp/other'",
    'pragma user_version = 3',
    'pragma writable_schema = 1',
    'begin',
    'select 1; select 2',
    'select 1; drop table t',
    'selct 1',
    '-- nothing',
    '',
  ];

  it.each(NOT_ONE_SELECT)('%j is not one SELECT, on every face', async (sql) => {
    const refused = { code: 'SQL_NOT_A_SELECT' };
    const legacy = await target.read(`?segment=${KNOWN}`, { body: sql });
    expect(legacy).toMatchObject({
      ...refused,
      status: 500,
      type: 'text/plain',
      text: `500 Server Error: ${ONE_SELECT}\n`,
    });
    expect(await target.read(`v1/segments/${KNOWN}/query`, { json: { sql } })).toMatchObject({
      ...refused,
      status: 400,
    });
    expect(await target.overNats(`query.${KNOWN}`, sql)).toMatchObject({ ...refused, status: 400 });
    expect(await target.contents()).toEqual(KNOWN_CONTENTS);
  });

  it.each([
    ['select * from nope', 'SQL_INVALID', 'no such table: nope'],
    ['select nope from t', 'SQL_INVALID', 'no such column: nope'],
    ['select (', 'SQL_INVALID', 'incomplete input'],
    ['select 1 frm t where', 'SQL_INVALID', 'syntax error'],
    ["select load_extension('x')", 'SQL_REFUSED', 'not authorized'],
  ])('%j answers with the words of SQLite, on every face', async (sql, code, words) => {
    const legacy = await target.read(`?segment=${KNOWN}`, { body: sql });
    expect(legacy).toMatchObject({ code, status: 500, type: 'text/plain' });
    const others = [
      await target.read(`v1/segments/${KNOWN}/query`, { json: { sql } }),
      await target.overNats(`query.${KNOWN}`, sql),
    ];
    for (const answer of others) expect(answer).toMatchObject({ code, status: 400 });
    for (const { text } of [legacy, ...others]) expect(text).toContain(words);
  });

  it('ends the command line with exit code 1 and one sentence', async () => {
    const { code, stdout, stderr } = await target.cli('query', KNOWN, 'select (');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'trough: incomplete input (SQL_INVALID)\n',
    });
  });
});

describe('SQL that the writer does not take', () => {
  it.each([
    ['insrt into t values (2)', 'SQL_INVALID', 'syntax error'],
    ['insert into t values (', 'SQL_INVALID', 'incomplete input'],
    ['insert into nope values (2)', 'SQL_INVALID', 'no such table: nope'],
    ['begin', 'SQL_REFUSED', 'within a transaction'],
    ['commit', 'SQL_REFUSED', 'no transaction is active'],
    ['vacuum', 'SQL_REFUSED', 'within a transaction'],
    ["attach '/tmp/other' as other", 'SQL_REFUSED', 'within transaction'],
  ])('%j answers with the words of SQLite, on every face, and changes nothing', async (sql, code, words) => {
    const legacy = await target.write(`?segment=${KNOWN}`, { body: sql });
    expect(legacy).toMatchObject({ code, status: 500, type: 'text/plain' });
    const others = [
      await target.write(`v1/segments/${KNOWN}/write`, statement(sql)),
      await target.write(`v1/segments/${KNOWN}/write`, { json: { script: sql } }),
      await target.overNats(`write.${KNOWN}`, sql),
    ];
    for (const answer of others) expect(answer).toMatchObject({ code, status: 400 });
    for (const { text } of [legacy, ...others]) expect(text).toContain(words);
    expect(await target.contents()).toEqual(KNOWN_CONTENTS);
  });

  it('is not half applied: what came before the broken statement is undone', async () => {
    const sql = 'insert into t values (2); insert into nope values (3)';
    expect((await target.write(`?segment=${KNOWN}`, { body: sql })).status).toBe(500);
    expect((await target.overNats(`write.${KNOWN}`, sql)).status).toBe(400);
    const two = { json: { statements: [{ sql: 'insert into t values (2)' }, { sql: 'insert into nope values (3)' }] } };
    expect((await target.write(`v1/segments/${KNOWN}/write`, two)).status).toBe(400);
    expect(await target.contents()).toEqual(KNOWN_CONTENTS);
  });

  it('may be a SELECT in a script, where it does nothing as in the original, and is refused as a statement on /v1', async () => {
    expect(await target.write(`?segment=${KNOWN}`, { body: 'select 1' })).toMatchObject({ status: 200, text: 'OK\n' });
    const answer = await target.write(`v1/segments/${KNOWN}/write`, statement('select a from t'));
    expect(answer).toMatchObject({ code: 'SQL_REFUSED', status: 400 });
  });

  it('may not be empty', async () => {
    for (const body of ['', '  \n']) {
      const answer = await target.write(`?segment=${KNOWN}`, { body });
      expect(answer).toMatchObject({ status: 500, text: '500 Server Error: No query provided.\n' });
    }
    for (const json of [{ script: '' }, { statements: [] }, { statements: [{ sql: '' }] }, {}])
      expect(await target.write(`v1/segments/${KNOWN}/write`, { json })).toMatchObject({ status: 400 });
  });
});

describe('a body over the limit', () => {
  const large = `select 1 -- ${'x'.repeat(BODY_LIMIT)}`;
  const refused = { code: 'REQUEST_TOO_LARGE' };

  it("is refused in the original's text on its read and write routes", async () => {
    for (const answer of [
      await target.read(`?segment=${KNOWN}`, { body: large }),
      await target.write(`?segment=${KNOWN}`, { body: large }),
      await target.write(`?segment=${KNOWN}`, { body: new Blob([large]).stream() }),
    ]) {
      expect(answer).toMatchObject({ ...refused, status: 500, type: 'text/plain' });
      expect(answer.text).toBe(`500 Server Error: the request body is larger than ${String(BODY_LIMIT)} bytes\n`);
    }
  });

  it('is 413 on /v1 and on the managers, with a length declared or not', async () => {
    for (const answer of [
      await target.read(`v1/segments/${KNOWN}/query`, { json: { sql: large } }),
      await target.read(`v1/segments/${KNOWN}/query`, { body: new Blob([JSON.stringify({ sql: large })]).stream() }),
      await target.write(`v1/segments/${KNOWN}/write`, statement(large)),
      await target.manager(`v1/segments/${KNOWN}/provision`, { json: { schema: large } }),
      await target.manager('provision', { json: { segment: large } }),
      await target.manager('schema/large/sql', { method: 'PUT', body: large }),
    ])
      expect(answer).toMatchObject({ ...refused, status: 413 });
  });

  it('leaves a body of exactly the limit alone', async () => {
    const start = 'select 1 as one -- ';
    const body = start.padEnd(BODY_LIMIT, 'x');
    expect(await target.read(`?segment=${KNOWN}`, { body })).toMatchObject({ status: 200, text: '[{"one":1}]\n' });
    expect((await target.read(`?segment=${KNOWN}`, { body: `${body}x` })).status).toBe(500);
  });
});

describe('a request that is none', () => {
  it('is told what is wrong with it: no JSON, no such key, no such route, another port, another method', async () => {
    const query = `v1/segments/${KNOWN}/query`;
    expect(await target.read(query, { body: '{' })).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
    const wrong = await target.read(query, { json: { sq: 'select 1' } });
    expect(wrong).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
    expect(wrong.text).toContain("'sql'");
    expect(await target.read('v1/nothing', { json: {} })).toMatchObject({ code: 'ROUTE_UNKNOWN', status: 404 });
    const elsewhere = await target.read(`v1/segments/${KNOWN}/write`, { json: {} });
    expect(elsewhere).toMatchObject({ code: 'ROUTE_UNKNOWN', status: 404 });
    expect(elsewhere.text).toContain('the write port serves it');
    expect(await target.read(query, {})).toMatchObject({ code: 'METHOD_NOT_ALLOWED', status: 405 });
    expect(await target.overNats(`query.${KNOWN}`, '{')).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
    expect(await target.overNats('sync.provision', { sgment: 'x' })).toMatchObject({
      code: 'REQUEST_INVALID',
      status: 400,
    });
  });

  it('has not hurt the process', async () => {
    expect(await target.contents()).toEqual(KNOWN_CONTENTS);
    const { read, write, syncMaster, syncLocal } = target.run.ready.urls;
    for (const url of [read, write, syncMaster, syncLocal]) expect((await httpCall(url, 'readyz')).status).toBe(200);
  });
});
