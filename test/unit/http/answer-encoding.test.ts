import { request } from 'node:http';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { type Read } from '../../../src/messages/reading.ts';
import { answerOf, ask, fakeReports, noChanges, type Got, log, serve, stream } from './fixture.ts';

const PATH = '/v1/segments/s/query';
const LARGE = '1,'.repeat(10_000);

function reading(read: Read): ReturnType<typeof serve> {
  return serve(readRoutes({ read, reports: fakeReports(), changes: noChanges, log }), { bodyLimitBytes: 100_000 });
}

interface Packed {
  readonly encoding: string | undefined;
  readonly body: Buffer;
  readonly broken: boolean;
}

/** The bytes as they came. */
function packed(port: number, accept: string | undefined): Promise<Packed> {
  const headers = accept === undefined ? {} : { 'Accept-Encoding': accept };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: PATH, method: 'POST', headers });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', () => undefined);
      response.on('close', () => {
        resolve({
          encoding: response.headers['content-encoding'],
          body: Buffer.concat(parts),
          broken: !response.complete,
        });
      });
    });
    sent.end('{"sql":"q","format":"csv"}');
  });
}

function unpacked({ encoding, body }: Packed): string {
  if (encoding === undefined) return body.toString();
  return (encoding === 'gzip' ? gunzipSync(body) : zstdDecompressSync(body)).toString();
}

describe('a large answer', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['br, deflate', undefined],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['*', 'gzip'],
    ['*;q=0', undefined],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['zstd;q=0.5, gzip;q=0.8', 'gzip'],
    ['zstd;q=0, gzip', 'gzip'],
    ['zstd;q=0, gzip;q=0.0', undefined],
    ['gzip;q=0, *', undefined],
    ['gzip;q=0.2, identity;q=0.5', undefined],
    ['gzip;q=0.2, identity;q=0.1', 'gzip'],
  ])('for a client that accepts %j is sent as %s, whole or as a stream', async (accept, encoding) => {
    for (const body of [Buffer.from(LARGE), stream(LARGE.slice(0, 100), LARGE.slice(100))]) {
      await using server = await reading(() => Promise.resolve(answerOf(body)));
      const got = await packed(server.port, accept);
      expect([got.encoding, got.broken, unpacked(got) === LARGE]).toEqual([encoding, false, true]);
    }
  });

  it.each(['gzip', 'zstd'])('that fails half-way breaks off under %s, before the end of its stream', async (accept) => {
    await using server = await reading(() =>
      Promise.resolve(answerOf(stream(LARGE, LARGE, new TroughError('ENGINE_DEADLINE', 'too long')))),
    );
    const got = await packed(server.port, accept);
    expect([got.encoding, got.broken]).toEqual([accept, true]);
    if (accept === 'gzip') expect(() => unpacked(got)).toThrow('unexpected end of file');
  });
});

it('a small answer is sent as it is', async () => {
  await using server = await reading(() => Promise.resolve(answerOf('1,2')));
  expect(await packed(server.port, 'gzip, zstd')).toMatchObject({ encoding: undefined, body: Buffer.from('1,2') });
});

describe('methods', () => {
  const head = (port: number, path: string): Promise<Got> => ask({ port }, path, { method: 'HEAD', body: 'select 1' });

  it('HEAD on the route of the original has the headers of a long answer, and its query goes no further', async () => {
    let pulled = 0;
    let left = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          pulled += 1;
          yield await Promise.resolve(Buffer.from('{"a":1}'));
        }
      } finally {
        left = true;
      }
    }
    await using server = await reading(() => Promise.resolve(answerOf(endless())));
    const got = await head(server.port, '/?segment=s');
    expect([got.status, got.headers['content-type'], got.body]).toEqual([200, 'application/json', '']);
    expect([pulled, left]).toEqual([1, true]);
  });

  it('HEAD is not for /v1 queries', async () => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await head(server.port, PATH);
    expect([got.status, got.headers.allow, got.body]).toEqual([405, 'POST', '']);
  });

  it.each([
    [PATH, 204, 'POST'],
    ['/v1/segments/s/stats', 204, 'GET, HEAD'],
    ['/v1/openapi.json', 204, 'GET, HEAD'],
    ['/v1/nosuch', 404, undefined],
  ])('OPTIONS of %s answers %i, allow %s', async (path, status, allow) => {
    await using server = await reading(() => Promise.reject(new Error('not expected')));
    const got = await ask(server, path, { method: 'OPTIONS' });
    expect([got.status, got.headers.allow]).toEqual([status, allow]);
  });
});
