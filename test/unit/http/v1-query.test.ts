import { request } from 'node:http';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { type Read, type ReadRequest } from '../../../src/messages/reading.ts';
import { answerOf, ask, askJson, fakeReports, noChanges, log, serve, stream } from './fixture.ts';

const PATH = '/v1/segments/s%201/query';

function reading(read: Read): ReturnType<typeof serve> {
  return serve(readRoutes({ read, reports: fakeReports(), changes: noChanges, log }), { bodyLimitBytes: 100_000 });
}

function errorOf(body: string): { code: string; message: string } {
  return (JSON.parse(body) as { error: { code: string; message: string } }).error;
}

describe('POST /v1/segments/ID/query', () => {
  it('answers columns, rows and what answered', async () => {
    const summary = { rows: 2, truncated: true };
    await using server = await reading(() =>
      Promise.resolve(answerOf('[1],\n["é"]', { columns: ['ä'], summary: () => summary })),
    );
    const got = await askJson(server, PATH, { sql: 'select 1' });
    expect(got.headers).toMatchObject({
      'content-type': 'application/json',
      'trough-node': 'n1',
      'trough-version': '42',
    });
    expect(JSON.parse(got.body)).toEqual({
      columns: ['ä'],
      rows: [[1], ['é']],
      segment: 's 1',
      version: '42',
      node: 'n1',
      truncated: true,
    });
  });

  it('hands on every option, integers with all their digits', async () => {
    let asked: ReadRequest | undefined;
    await using server = await reading((request) => {
      asked = request;
      return Promise.resolve(answerOf(''));
    });
    const body =
      '{"sql":"select ?","params":[9223372036854775807,-9007199254740993,1.5,1e300,"t",null,true,{"base64":"AP8="}],' +
      '"deadlineMs":500,"consistency":"any","maxRows":7,"format":"csv"}';
    await ask(server, `${PATH}?bigints=string`, { body });
    expect(asked).toEqual({
      segment: 's 1',
      sql: 'select ?',
      params: [9223372036854775807n, -9007199254740993n, 1.5, 1e300, 't', null, 1n, Buffer.from([0, 255])],
      format: 'csv',
      bigints: 'string',
      deadlineMs: 500,
      consistency: 'any',
      maxRows: 7,
      hops: 0,
    });
    await ask(server, PATH, { body: '{"sql":"select :a","params":{"a":false}}' });
    expect(asked?.params).toEqual({ a: 0n });
  });

  it.each([
    [
      { format: 'ndjson' },
      '',
      'application/x-ndjson',
      '{"a":1}\n{"_trough":{"summary":{"rows":1,"truncated":false,"segment":"s 1","version":"42","node":"n1"}}}\n',
    ],
    [
      {},
      'application/x-ndjson',
      'application/x-ndjson',
      '{"a":1}\n{"_trough":{"summary":{"rows":1,"truncated":false,"segment":"s 1","version":"42","node":"n1"}}}\n',
    ],
    [{}, 'text/csv', 'text/csv; charset=utf-8', '{"a":1}'],
    [{ format: 'csv' }, 'application/x-ndjson', 'text/csv; charset=utf-8', '{"a":1}'],
  ])('answers %j with Accept %s as %s', async (more, accept, type, body) => {
    for (const rows of ['{"a":1}', stream('{"a"', ':1}')]) {
      await using server = await reading(() =>
        Promise.resolve(answerOf(typeof rows === 'string' ? Buffer.from(rows) : rows)),
      );
      const got = await askJson(server, PATH, { sql: 'q', ...more }, { Accept: accept });
      expect([got.headers['content-type'], got.body, got.broken]).toEqual([type, body, false]);
    }
  });

  it.each(['json', 'csv'])('cuts a %s answer off when it fails half-way', async (format) => {
    await using server = await reading(() =>
      Promise.resolve(answerOf(stream('[1]', new TroughError('ENGINE_DEADLINE', 'too long')))),
    );
    const got = await askJson(server, PATH, { sql: 'q', format });
    expect([got.status, got.broken]).toEqual([200, true]);
  });

  it('ends NDJSON that fails half-way with the error', async () => {
    await using server = await reading(() =>
      Promise.resolve(answerOf(stream('{"a":1}', new TroughError('ENGINE_DEADLINE', 'too long')))),
    );
    const got = await askJson(server, PATH, { sql: 'q', format: 'ndjson' });
    expect(got.body).toBe(
      '{"a":1}\n{"_trough":{"error":{"code":"ENGINE_DEADLINE","message":"too long","context":{}}}}\n',
    );
  });

  it.each([
    [new TroughError('SQL_INVALID', 'no'), 400],
    [new TroughError('SEGMENT_UNKNOWN', 'no'), 404],
    [new TroughError('SEGMENT_LEASED', 'no'), 409],
    [new TroughError('ENGINE_POOL_FULL', 'no'), 503],
    [new TroughError('SEGMENT_QUEUE_FULL', 'no'), 429],
    [new TroughError('ENGINE_DEADLINE', 'no'), 504],
    [new TroughError('COLD_FAILED', 'no', { segment: 's' }), 500],
  ])('answers %s with its status', async (error, status) => {
    await using server = await reading(() => Promise.reject(error));
    const got = await askJson(server, PATH, { sql: 'q' });
    expect([got.status, JSON.parse(got.body)]).toEqual([status, { error: error.toRecord() }]);
    expect(got.headers['trough-error']).toBe(error.code);
    expect(got.headers['retry-after']).toBe(status === 503 || status === 429 ? '1' : undefined);
  });

  it.each([
    ['{', 'the body is not JSON'],
    ['', 'the body is not JSON'],
    ['{}', "at 'sql'"],
    ['{"sql":1}', "at 'sql'"],
    ['{"sql":"q","params":[[1]]}', "at 'params.0'"],
    ['{"sql":"q","params":[9223372036854775808]}', "at 'params.0'"],
    ['{"sql":"q","params":[{"base64":"*"}]}', "at 'params.0"],
    ['{"sql":"q","deadlineMs":0}', "at 'deadlineMs'"],
    ['{"sql":"q","nosuch":1}', 'nosuch'],
  ])('refuses the body %s and says where it is wrong', async (body, words) => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, PATH, { body });
    expect([got.status, errorOf(got.body).code]).toEqual([400, 'REQUEST_INVALID']);
    expect(errorOf(got.body).message).toContain(words);
  });

  it.each([
    ['/v1/segments/..%2Fx/query', 'POST', 400, 'SEGMENT_ID_INVALID'],
    ['/v1/segments/%FF/query', 'POST', 400, 'REQUEST_INVALID'],
    ['/v1/segments/s/query?nosuch=1', 'POST', 400, 'REQUEST_INVALID'],
    ['/v1/segments/s/query', 'GET', 405, 'METHOD_NOT_ALLOWED'],
    ['/v1/nosuch', 'GET', 404, 'ROUTE_UNKNOWN'],
    ['/v1/segments/s/write', 'POST', 404, 'ROUTE_UNKNOWN'],
  ])('refuses %s by %s with %i %s', async (path, method, status, code) => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, path, { method, body: '{"sql":"q"}' });
    expect([got.status, errorOf(got.body).code]).toEqual([status, code]);
    if (status === 405) expect(got.headers.allow).toBe('POST');
  });

  it('refuses a body over the limit with 413', async () => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await askJson(server, PATH, { sql: 'x'.repeat(200_000) });
    expect([got.status, errorOf(got.body).code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  it('compresses a large answer for a client that takes it, and a failure still shows', async () => {
    const rows = `[${'1,'.repeat(10_000)}1]`;
    await using server = await reading(() => Promise.resolve(answerOf(stream(rows))));
    const open = (encoding: string): Promise<ArrayBuffer> => packed(server.port, encoding);
    const zipped = JSON.parse(gunzipSync(await open('gzip, zstd;q=0')).toString()) as { rows: number[][] };
    expect(zipped.rows[0]).toHaveLength(10_001);
    await using second = await reading(() => Promise.resolve(answerOf(Buffer.from(rows))));
    const packedBytes = await packed(second.port, 'zstd');
    expect((JSON.parse(zstdDecompressSync(packedBytes).toString()) as { columns: string[] }).columns).toEqual(['a']);
    await using failing = await reading(() => Promise.resolve(answerOf(stream(rows, new Error('fault')))));
    const got = await askJson(failing, PATH, { sql: 'q' }, { 'Accept-Encoding': 'gzip' });
    expect([got.headers['content-encoding'], got.broken]).toEqual(['gzip', true]);
  });
});

function packed(port: number, encoding: string): Promise<ArrayBuffer> {
  const body = '{"sql":"q"}';
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path: PATH,
      method: 'POST',
      headers: { 'Accept-Encoding': encoding },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const whole = Buffer.concat(parts);
        resolve(whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length));
      });
    });
    sent.end(body);
  });
}
