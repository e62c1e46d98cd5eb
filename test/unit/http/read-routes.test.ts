import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { type Read, type ReadRequest } from '../../../src/messages/reading.ts';
import { answerOf, ask, fakeReports, noChanges, log, rawConnection, serve, stream } from './fixture.ts';

const PATH = '/?segment=s1';

function reading(read: Read): ReturnType<typeof serve> {
  return serve(readRoutes({ read, reports: fakeReports(), changes: noChanges, log }), { bodyLimitBytes: 100_000 });
}

describe('the read port, as the original', () => {
  it('answers rows as a JSON list and says who answered', async () => {
    await using server = await reading(() => Promise.resolve(answerOf('{"a":1},\n{"a":2}')));
    const got = await ask(server, PATH, { body: 'select a from t' });
    expect([got.status, got.body]).toEqual([200, '[{"a":1},\n{"a":2}]\n']);
    expect(got.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '19',
      'trough-node': 'n1',
      'trough-version': '42',
    });
  });

  it('says when to ask again beside the status of the original, where that may help', async () => {
    for (const [code, after] of [
      ['ENGINE_POOL_FULL', '1'],
      ['SEGMENT_QUEUE_FULL', '1'],
      ['SQL_FAILED', undefined],
      ['ENGINE_DEADLINE', undefined],
    ] as const) {
      await using server = await reading(() => Promise.reject(new TroughError(code, 'why')));
      const got = await ask(server, PATH, { body: 'q' });
      expect([got.status, got.reason, got.body]).toEqual([500, 'Server Error', '500 Server Error: why\n']);
      expect([got.headers['trough-error'], got.headers['retry-after']]).toEqual([code, after]);
    }
  });

  it('answers an empty list for no rows, whole or streamed', async () => {
    await using whole = await reading(() => Promise.resolve(answerOf('')));
    expect((await ask(whole, PATH, { body: 'q' })).body).toBe('[]\n');
    await using streamed = await reading(() => Promise.resolve(answerOf(stream())));
    expect((await ask(streamed, PATH, { body: 'q' })).body).toBe('[]\n');
  });

  it.each([
    ['/?segment=s1', 'x', 's1'],
    ['/a/b/c?x=y&segment=s1&segment=s2', 'x', 's1'],
    ['/?segment=a%20b', 'x', 'a b'],
    ['/?segment=a+b', 'x', 'a b'],
    ['/?segment=%C3%A9', 'x', 'é'],
    ['/', 's3.trough.example.org:6444', 's3'],
    ['/?segment=', 's3.trough.example.org', 's3'],
    ['/?segment=s1', 's3.trough.example.org', 's1'],
    ['/v1/segments/s9/query?segment=s1', 'x', 's1'],
  ])('finds the segment of %s at host %s', async (path, host, segment) => {
    let asked: ReadRequest | undefined;
    await using server = await reading((request) => {
      asked = request;
      return Promise.resolve(answerOf(''));
    });
    for (const method of ['POST', 'GET', 'PUT']) {
      await ask(server, path, { method, body: 'select 1', headers: { Host: host } });
      expect(asked).toEqual({
        segment,
        sql: 'select 1',
        format: 'legacy',
        bigints: 'digits',
        consistency: 'strong',
        hops: 0,
      });
      asked = undefined;
    }
  });

  it('takes the nearest copy when the client says so', async () => {
    let asked: ReadRequest | undefined;
    await using server = await reading((request) => {
      asked = request;
      return Promise.resolve(answerOf(''));
    });
    await ask(server, PATH, { body: 'q', headers: { 'Trough-Consistency': 'any' } });
    expect(asked?.consistency).toBe('any');
  });

  it('tells an error in the one form that the clients of the original read', async () => {
    await using server = await reading(() => Promise.reject(new TroughError('SQL_INVALID', 'no such table: foo')));
    const got = await ask(server, PATH, { body: 'select * from foo' });
    expect([got.status, got.reason, got.body]).toEqual([500, 'Server Error', '500 Server Error: no such table: foo\n']);
    expect(got.headers).toMatchObject({ 'content-type': 'text/plain', 'trough-error': 'SQL_INVALID' });
  });

  it.each([
    ['/?segment=..%2Fx', 'SEGMENT_ID_INVALID', Buffer.from('q')],
    ['/?segment=%FF', 'SEGMENT_ID_INVALID', Buffer.from('q')],
    ['/', 'SEGMENT_ID_INVALID', Buffer.from('q')],
    [PATH, 'REQUEST_TOO_LARGE', Buffer.alloc(100_001, 'x')],
    [PATH, 'REQUEST_INVALID', Buffer.from('73656c6563742027ff2720617320', 'hex')],
  ])('refuses %s with %s before anything is read', async (path, code, body) => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, path, { body, headers: { Host: 'localhost:1' } });
    expect([got.status, got.headers['trough-error']]).toEqual([500, code]);
    expect(got.body).toMatch(/^500 Server Error: .+\n$/);
  });

  it('answers an error in the first row of a stream cleanly', async () => {
    await using server = await reading(() =>
      Promise.resolve(answerOf(stream(new TroughError('SQL_FAILED', 'integer overflow')))),
    );
    const got = await ask(server, PATH, { body: 'q' });
    expect([got.status, got.body]).toEqual([500, '500 Server Error: integer overflow\n']);
  });

  it('never lets a failure in mid-stream look complete', async () => {
    const parts = (): AsyncGenerator<Uint8Array> =>
      stream('{"a":1}', new TroughError('SQL_FAILED', 'integer overflow'));
    await using server = await reading(() => Promise.resolve(answerOf(parts())));
    const got = await ask(server, PATH, { body: 'q' });
    expect([got.status, got.body, got.broken]).toEqual([200, '[{"a":1}', true]);
    expect(() => JSON.parse(got.body) as unknown).toThrow(SyntaxError);
  });

  it('sends the first rows before the last ones are there', async () => {
    const gate = Promise.withResolvers<undefined>();
    async function* rows(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"a":1}');
      await gate.promise;
      yield Buffer.from(',\n{"a":2}');
    }
    await using server = await reading(() => Promise.resolve(answerOf(rows())));
    const response = await fetch(`${server.url}?segment=s1`, { method: 'POST', body: 'q' });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe('[{"a":1}');
    gate.resolve(undefined);
    let rest = '';
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      rest += Buffer.from(part.value).toString();
    expect(rest).toBe(',\n{"a":2}]\n');
  });

  it('asks for no more rows than a slow client takes, and ends the query when it goes away', async () => {
    const part = Buffer.alloc(1_000_000, ' ');
    let produced = 0;
    const ended = Promise.withResolvers<undefined>();
    const signals: AbortSignal[] = [];
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          await Promise.resolve();
          produced += 1;
          yield part;
        }
      } finally {
        ended.resolve(undefined);
      }
    }
    await using server = await reading((_, signal) => {
      signals.push(signal);
      return Promise.resolve(answerOf(endless()));
    });
    const socket = await rawConnection(server);
    socket.write('POST /?segment=s1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nq');
    await once(socket, 'readable');
    socket.destroy();
    await ended.promise;
    expect(produced).toBeLessThan(50);
    expect(signals[0]?.aborted).toBe(true);
  });

  it('runs the SQL of a HEAD and answers its headers', async () => {
    await using server = await reading(() => Promise.resolve(answerOf('{"a":1}')));
    const got = await ask(server, PATH, { method: 'HEAD', body: 'q' });
    expect([got.status, got.headers['content-length'], got.body]).toEqual([200, '10', '']);
  });
});
