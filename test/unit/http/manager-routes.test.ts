import { describe, expect, it } from 'vitest';
import { type ErrorCode, TroughError } from '../../../src/errors.ts';
import { localRoutes, managerRoutes } from '../../../src/http/manager-routes.ts';
import { type Control } from '../../../src/messages/control.ts';
import { ask, askJson, fakeControl, log, serve } from './fixture.ts';

function manager(verbs: Partial<Control>): ReturnType<typeof serve> {
  return serve(managerRoutes({ control: fakeControl(verbs), log }));
}

const failing =
  (code: ErrorCode, message = 'no') =>
  (): Promise<never> =>
    Promise.reject(new TroughError(code, message));
const HTML = 'text/html; charset=utf-8';
const PLAIN = 'text/plain; charset=utf-8';

const provision: Control['provision'] = ({ segment, schema = 'default' }) =>
  Promise.resolve({
    segment,
    node: 'n1',
    writeUrl: `http://n1:6222/?segment=${segment}`,
    sizeBytes: 8192,
    schema,
    created: true,
  });

describe('the manager, as the original: provision', () => {
  it('answers the write URL to a bare id, whatever the content type', async () => {
    await using server = await manager({ provision });
    const got = await ask(server, '/', {
      body: 's1',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([200, PLAIN, 'http://n1:6222/?segment=s1']);
  });

  it('answers JSON with escaped slashes and nothing but ASCII', async () => {
    await using server = await manager({ provision });
    const got = await askJson(server, '/provision', { segment: 'é', schema: 'q' });
    expect([got.headers['content-type'], got.body]).toEqual([
      'application/json',
      '{"write_url":"http:\\/\\/n1:6222\\/?segment=\\u00e9","result":"success","size":8192,"schema":"q"}',
    ]);
    expect(JSON.parse((await askJson(server, '/provision', { segment: 's' })).body)).toMatchObject({
      schema: 'default',
    });
  });

  it('says which id is in the cold range', async () => {
    await using server = await manager({ provision: failing('SEGMENT_COLD_TIER') });
    const got = await askJson(server, '/provision', { segment: '123' });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([
      400,
      'application/json',
      '{"error":"cannot provision segment 123 for writing because that segment id is in the read-only cold storage range"}\n',
    ]);
    expect((await ask(server, '/', { body: '123' })).status).toBe(500);
  });

  it.each([
    ['{', 'application/json', 400],
    ['{"segment":""}', 'application/json', 400],
    ['{"segment":"../x"}', 'application/json', 400],
    ['{"schema":"default"}', 'application/json', 500],
    ['{"segment":5}', 'application/json', 500],
    ['{"segment":"s","schema":null}', 'application/json', 500],
    ['[1]', 'application/json', 500],
    ['{"segment":"s1"}', 'text/plain', 500],
  ])('refuses %s as %s with %i', async (body, type, status) => {
    await using server = await manager({});
    const got = await ask(server, '/provision', { body, headers: { 'Content-Type': type } });
    expect([got.status, got.headers['content-type']]).toEqual([status, HTML]);
  });

  it('says when to ask again while there is no leader', async () => {
    await using server = await manager({ provision: failing('LEADER_UNKNOWN') });
    const got = await ask(server, '/', { body: 's' });
    expect([got.status, got.headers['trough-error'], got.headers['retry-after']]).toEqual([500, 'LEADER_UNKNOWN', '1']);
  });

  it('answers an unknown schema with a page that names the code', async () => {
    await using server = await manager({ provision: failing('SCHEMA_UNKNOWN', 'no schema <x>') });
    const got = await askJson(server, '/provision', { segment: 's', schema: 'x' });
    expect([got.status, got.headers['trough-error']]).toEqual([500, 'SCHEMA_UNKNOWN']);
    expect(got.body).toContain('no schema &lt;x&gt;');
  });
});

describe('the manager, as the original: promote and delete', () => {
  it('answers where the file lies, whatever the content type', async () => {
    const promote: Control['promote'] = ({ segment }) =>
      Promise.resolve({ segment, version: 1, sizeBytes: 1, sha256: '', path: '/trough/s/s1.sqlite' });
    await using server = await manager({ promote });
    const got = await ask(server, '/promote', { body: '{"segment":"s1"}' });
    expect([got.status, got.body]).toEqual([200, '{"remote_path":"\\/trough\\/s\\/s1.sqlite"}']);
  });

  it.each([
    ['{"segment":"s1"}', 500],
    ['{', 500],
    ['{}', 500],
    ['{"segment":"../x"}', 400],
  ])('refuses to promote %s with %i', async (body, status) => {
    await using server = await manager({ promote: failing('SEGMENT_NOT_WRITABLE') });
    expect((await ask(server, '/promote', { body })).status).toBe(status);
  });

  it('deletes a segment', async () => {
    const shred: Control['shred'] = ({ segment, force }) => Promise.resolve({ segment: `${segment}${String(force)}` });
    await using server = await manager({ shred });
    const got = await ask(server, '/segment/s1', { method: 'DELETE' });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([204, HTML, '']);
  });

  it.each([
    ['SEGMENT_UNKNOWN', 404],
    ['SEGMENT_LEASED', 400],
    ['LEADER_UNKNOWN', 500],
  ] as const)('answers %s to a delete with %i', async (code, status) => {
    await using server = await manager({ shred: failing(code) });
    expect((await ask(server, '/segment/s1', { method: 'DELETE' })).status).toBe(status);
  });
});

describe('the manager, as the original: schemas', () => {
  const stored = 'create table a (b); -- http://x/ é';
  const schema: Control['schema'] = (request) => {
    if (request.op === 'list') return Promise.resolve({ op: 'list', ids: ['default', 'q/r'] });
    if (request.op === 'get' && request.id === 'q') return Promise.resolve({ op: 'get', id: 'q', sql: stored });
    if (request.op === 'get') return Promise.reject(new TroughError('SCHEMA_UNKNOWN', 'no'));
    if (request.sql.includes('create create')) {
      return Promise.reject(new TroughError('SCHEMA_INVALID', 'near "create": syntax error'));
    }
    if (request.sql.includes('unique'))
      return Promise.reject(new TroughError('SCHEMA_INVALID', 'UNIQUE constraint failed: q.a'));
    return Promise.resolve({ op: 'put', id: request.id, created: request.sql !== 'again' });
  };

  it.each([
    ['/schema', 200, 'application/json', '["default","q\\/r"]'],
    ['/schema/q', 200, 'application/json', '{"id":"q","sql":"create table a (b); -- http:\\/\\/x\\/ \\u00e9"}'],
    ['/schema/q/sql', 200, 'application/sql; charset=utf-8', stored],
  ])('answers GET and HEAD of %s', async (path, status, type, body) => {
    await using server = await manager({ schema });
    const got = await ask(server, path, { method: 'GET' });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([status, type, body]);
    const head = await ask(server, path, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body]).toEqual([
      status,
      String(Buffer.byteLength(body)),
      '',
    ]);
  });

  it.each(['/schema/no', '/schema/no/sql', '/schema/', '/nosuch/path', '/schema/%FF'])(
    'answers 404 to GET of %s',
    async (path) => {
      await using server = await manager({ schema });
      const got = await ask(server, path, { method: 'GET' });
      expect([got.status, got.headers['content-type']]).toEqual([404, HTML]);
    },
  );

  it.each([
    ['/schema/q', '{"id":"q","sql":""}', 201],
    ['/schema/q', '{"id":"q","sql":"again"}', 204],
    ['/schema/q/sql', 'create table x (a)', 201],
    ['/schema/q/sql', 'again', 204],
    ['/schema/q/sql', '', 201],
    ['/schema/q', '[1]', 500],
    ['/schema/q', '{"id":"q","sql":5}', 500],
    ['/schema/q/sql', 'create table q (a unique)', 500],
  ])('answers PUT %s %s with %i', async (path, body, status) => {
    await using server = await manager({ schema });
    const got = await ask(server, path, { method: 'PUT', body });
    expect([got.status, got.headers['content-type']]).toEqual([status, HTML]);
    if (status < 300) expect(got.body).toBe('');
  });

  it.each([
    ['/schema/q', 'create table x', 'input could not be parsed as json'],
    ['/schema/q', '{"id":"q"}', "input json has keys {'id'} (should be {'id', 'sql'})"],
    ['/schema/q', '{}', "input json has keys set() (should be {'id', 'sql'})"],
    ['/schema/q', '{"id":"q","sql":"","x":1}', "input json has keys {'id', 'sql', 'x'} (should be {'id', 'sql'})"],
    ['/schema/q', '{"id":"it\'s","sql":""}', "id in json \"it's\" does not match id in url 'q'"],
    ['/schema/q', '{"id":null,"sql":""}', "id in json None does not match id in url 'q'"],
    ['/schema/q', '{"id":"q","sql":"create create"}', 'schema sql failed validation: near "create": syntax error'],
    ['/schema/q/sql', 'create create', 'schema sql failed validation: near "create": syntax error'],
  ])('refuses PUT %s %s in the words of the original', async (path, body, words) => {
    await using server = await manager({ schema });
    const got = await ask(server, path, { method: 'PUT', body });
    expect([got.status, got.headers['content-type'], got.body]).toEqual([400, PLAIN, words]);
  });
});

describe('the manager, as the original: methods', () => {
  it.each([
    ['GET', '/', 'OPTIONS, POST'],
    ['GET', '/provision', 'OPTIONS, POST'],
    ['PUT', '/promote', 'OPTIONS, POST'],
    ['POST', '/schema', 'OPTIONS, GET, HEAD'],
    ['DELETE', '/schema/default', 'OPTIONS, GET, PUT, HEAD'],
    ['GET', '/segment/s1', 'OPTIONS, DELETE'],
  ])('answers %s %s with 405', async (method, path, allow) => {
    await using server = await manager({});
    const got = await ask(server, path, { method });
    expect([got.status, got.headers.allow]).toEqual([405, allow]);
    const options = await ask(server, path, { method: 'OPTIONS' });
    expect([options.status, options.headers.allow, options.body]).toEqual([200, allow, '']);
  });
});

describe('the manager of a worker', () => {
  it('answers for the health of a segment, and all that the other manager does', async () => {
    const health = (segment: string): Promise<{ ok: boolean; why: string }> =>
      Promise.resolve(segment === 's1' ? { ok: true, why: 'held' } : { ok: false, why: 'no copy here' });
    await using server = await serve(localRoutes({ control: fakeControl({ provision }), health, log }));
    const good = await ask(server, '/health/s1', { method: 'GET' });
    expect([good.status, good.headers['content-type'], good.body]).toEqual([200, PLAIN, 'held\n']);
    const bad = await ask(server, '/health/s2', { method: 'GET' });
    expect([bad.status, bad.body]).toEqual([500, 'no copy here\n']);
    expect((await ask(server, '/health/..%2Fx', { method: 'GET' })).status).toBe(400);
    expect((await ask(server, '/', { body: 's1' })).status).toBe(200);
  });
});
