import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { writeRoutes } from '../../../src/http/write-routes.ts';
import { type Write, type WriteCall } from '../../../src/messages/writing.ts';
import { ask, log, serve } from './fixture.ts';

const PATH = '/?segment=s1';
const V1 = '/v1/segments/s1/write';

function writing(write: Write): ReturnType<typeof serve> {
  return serve(writeRoutes({ write, node: 'n1', log }));
}

const done = { node: 'n1', results: [{ changes: 1, lastInsertRowid: 9223372036854775807n }], sequence: 5 };

describe('the write port, as the original', () => {
  it.each(['POST', 'PUT', 'GET'])('applies a script by %s on any path', async (method) => {
    let call: WriteCall | undefined;
    await using server = await writing((given) => {
      call = given;
      return Promise.resolve(done);
    });
    const got = await ask(server, '/x/y?segment=s1', {
      method,
      body: 'create table t (a); insert into t values (1) -- done',
    });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([200, 'text/plain', 'OK\n']);
    const request = { kind: 'script', sql: 'create table t (a); insert into t values (1) -- done' };
    expect(call).toEqual({ segment: 's1', request, onlyHere: true });
  });

  it.each(['SEGMENT_NOT_WRITABLE', 'SEGMENT_UNKNOWN'] as const)(
    'says for %s what the original says without a lock',
    async (code) => {
      await using server = await writing(() => Promise.reject(new TroughError(code, 'no lease')));
      const got = await ask(server, PATH, { body: 'create table t (a)' });
      expect([got.status, got.headers['trough-error']]).toEqual([500, code]);
      expect(got.body).toBe(
        "500 Server Error: This node (settings['HOSTNAME']='n1') cannot write to segment 's1'. " +
          'There is no write lock set, or the write lock authorizes another node. Write lock: None\n',
      );
    },
  );

  it.each(['', '   \n'])('refuses the body %j', async (body) => {
    await using server = await writing(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, PATH, { body });
    expect([got.status, got.body]).toEqual([500, '500 Server Error: No query provided.\n']);
  });

  it('hands on the words of SQLite', async () => {
    await using server = await writing(() =>
      Promise.reject(new TroughError('SQL_FAILED', 'UNIQUE constraint failed: t.id')),
    );
    expect((await ask(server, PATH, { body: 'q' })).body).toBe('500 Server Error: UNIQUE constraint failed: t.id\n');
  });

  it('says where a body is not UTF-8', async () => {
    await using server = await writing(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, PATH, { body: Buffer.from('696e73657274ff', 'hex') });
    expect(got.body).toBe("500 Server Error: 'utf-8' codec can't decode byte 0xff in position 6: invalid start byte\n");
  });
});

describe('POST /v1/segments/ID/write', () => {
  it('applies statements with parameters and answers all 64 bits of a row id', async () => {
    let call: WriteCall | undefined;
    await using server = await writing((given) => {
      call = given;
      return Promise.resolve(done);
    });
    const body =
      '{"statements":[{"sql":"insert into t values (?)","params":[9007199254740993]},{"sql":"delete from t"}],"deadlineMs":9,"requestId":"r1"}';
    const got = await ask(server, V1, { body });
    expect(got.body).toBe(
      '{"results":[{"changes":1,"lastInsertRowid":9223372036854775807}],"sequence":5,"node":"n1","requestId":"r1"}\n',
    );
    const statements = [{ sql: 'insert into t values (?)', params: [9007199254740993n] }, { sql: 'delete from t' }];
    expect(call).toEqual({
      segment: 's1',
      request: { kind: 'statements', statements },
      deadlineMs: 9,
      requestId: 'r1',
      onlyHere: false,
    });
  });

  it('takes the name of a request from the header on both faces, of 200 characters at most', async () => {
    const ids: (string | undefined)[] = [];
    await using server = await writing(({ requestId }) => {
      ids.push(requestId);
      return Promise.resolve(done);
    });
    const named = (name: string) => ({ headers: { 'trough-request-id': name } });
    await ask(server, V1, { body: '{"script":"q"}', ...named('r2') });
    await ask(server, PATH, { body: 'q', ...named('r3') });
    await ask(server, PATH, { body: 'q' });
    expect(ids).toEqual(['r2', 'r3', undefined]);
    expect((await ask(server, V1, { body: '{"script":"q"}', ...named('r'.repeat(201)) })).status).toBe(400);
    expect(ids).toHaveLength(3);
  });

  it('applies a script', async () => {
    let call: WriteCall | undefined;
    await using server = await writing((given) => {
      call = given;
      return Promise.resolve(done);
    });
    await ask(server, V1, { body: '{"script":"delete from t"}' });
    expect(call?.request).toEqual({ kind: 'script', sql: 'delete from t' });
  });

  it.each([
    ['{"statements":[]}', "at 'statements'"],
    ['{"statements":[{"sql":"q","params":[{}]}]}', "at 'statements.0.params.0"],
    ['{}', 'the body is wrong'],
    ['[]', 'the body is wrong'],
  ])('refuses the body %s', async (body, words) => {
    await using server = await writing(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, V1, { body });
    expect([got.status, got.headers['trough-error']]).toEqual([400, 'REQUEST_INVALID']);
    expect(got.body).toContain(words);
  });

  it('answers busy with the time to try again', async () => {
    await using server = await writing(() => Promise.reject(new TroughError('WRITE_QUEUE_FULL', 'too many')));
    const got = await ask(server, V1, { body: '{"script":"q"}' });
    expect([got.status, got.headers['retry-after']]).toEqual([503, '1']);
  });
});
