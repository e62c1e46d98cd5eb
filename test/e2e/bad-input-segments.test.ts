import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KNOWN, requestTarget, type RequestTarget, statement } from '../support/request-target.ts';
import { clientEnv, verb } from '../support/trough-process.ts';

let target: RequestTarget;

beforeAll(async () => {
  target = await requestTarget();
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
});

describe('an unknown segment', () => {
  const unknown = { code: 'SEGMENT_UNKNOWN' };

  it("is said to be none when it is read: in the original's text, with 404 on /v1 and over NATS, with exit code 3", async () => {
    const legacy = await target.read('?segment=none', { body: 'select 1' });
    expect(legacy).toMatchObject({ ...unknown, status: 500, type: 'text/plain' });
    expect(legacy.text).toBe("500 Server Error: there is no segment 'none'\n");
    expect(await target.read('v1/segments/none/query', { json: { sql: 'select 1' } })).toMatchObject({
      ...unknown,
      status: 404,
    });
    expect(await target.overNats('query.none', 'select 1')).toMatchObject({ ...unknown, status: 404 });
    expect(await target.cli('query', 'none', 'select 1')).toEqual({
      code: 3,
      stdout: '',
      stderr: "trough: there is no segment 'none' (SEGMENT_UNKNOWN)\n",
    });
  });

  it("cannot be written, and the original's clients are told in the words that they look for", async () => {
    const legacy = await target.write('?segment=none', { body: 'create table t (a)' });
    expect(legacy).toMatchObject({ status: 500, type: 'text/plain' });
    expect(legacy.text).toMatch(
      /^500 Server Error: This node .* cannot write to segment 'none'\. There is no write lock/,
    );
  });

  it('is said to be none when it is written: with 404 on /v1 and over NATS, with exit code 3', async () => {
    expect(await target.write('v1/segments/none/write', statement('create table t (a)'))).toMatchObject({
      ...unknown,
      status: 404,
    });
    expect(await target.overNats('write.none', 'create table t (a)')).toMatchObject({ ...unknown, status: 404 });
    expect(await target.cli('write', 'none', 'create table t (a)')).toMatchObject({ code: 3 });
  });

  it.each(['promote', 'release'])(
    'is said to be none by %s: with 404 on /v1 and over NATS, with exit code 3',
    async (what) => {
      expect(await target.manager(`v1/segments/none/${what}`, { json: {} })).toMatchObject({ ...unknown, status: 404 });
      expect(await target.overNats(`sync.${what}`, { segment: 'none' })).toMatchObject({ ...unknown, status: 404 });
      expect(await target.cli(what, 'none')).toMatchObject({ code: 3, stdout: '' });
    },
  );

  it("is an error of the original's promote", async () => {
    const { status, text } = await target.manager('promote', { json: { segment: 'none' } });
    expect(status).toBe(500);
    expect(text).toContain("'none'");
  });

  it('is said to be none by shred: with 404 on both faces and over NATS, with exit code 3', async () => {
    expect(await target.manager('segment/none', { method: 'DELETE' })).toMatchObject({ ...unknown, status: 404 });
    expect(await target.manager('v1/segments/none', { method: 'DELETE' })).toMatchObject({ ...unknown, status: 404 });
    expect(await target.overNats('sync.shred', { segment: 'none' })).toMatchObject({ ...unknown, status: 404 });
    expect(await target.cli('shred', 'none')).toMatchObject({ code: 3, stdout: '' });
  });

  it('has no health and no entry in the catalogue, and none of this has made it', async () => {
    expect((await target.syncLocal('health/none')).status).toBeGreaterThanOrEqual(400);
    expect(await target.manager('v1/segments/none')).toMatchObject({ ...unknown, status: 404 });
    const { segments } = JSON.parse((await target.manager('v1/segments')).text) as { segments: { id: string }[] };
    expect(segments.map(({ id }) => id)).toEqual([KNOWN]);
  });
});

describe('an invalid segment id', () => {
  const INVALID = ['../x', '..', '/etc/passwd', 'a/b', ' a', '-x', '.x', 'a\u0000b', 'a;b', "a'b", 'x'.repeat(129)];
  const invalid = { code: 'SEGMENT_ID_INVALID' };

  it.each(INVALID)('%j is refused by every route, with the rule that it breaks', async (id) => {
    const part = encodeURIComponent(id).replaceAll('.', '%2E');
    const legacy = [
      await target.read(`?segment=${part}`, { body: 'select 1' }),
      await target.write(`?segment=${part}`, { body: 'create table t (a)' }),
    ];
    for (const answer of legacy) expect(answer).toMatchObject({ ...invalid, status: 500, type: 'text/plain' });
    const modern = [
      target.manager('provision', { json: { segment: id } }),
      target.manager('', { body: id }),
      target.manager('promote', { json: { segment: id } }),
      ...(['provision', 'promote', 'release', 'shred', 'segment'] as const).map((what) =>
        target.overNats(`sync.${what}`, { segment: id }),
      ),
    ];
    for (const answer of await Promise.all(modern)) {
      expect(answer).toMatchObject({ ...invalid, status: 400 });
      expect(answer.text).toContain('a segment id has 1 to 128 letters, digits');
    }
  });

  it.each(INVALID.filter((id) => !/^\.+$/.test(id)))('%j is refused in every path', async (id) => {
    const part = encodeURIComponent(id);
    const answers = await Promise.all([
      target.read(`v1/segments/${part}/query`, { json: { sql: 'select 1' } }),
      target.write(`v1/segments/${part}/write`, statement('create table t (a)')),
      target.manager(`v1/segments/${part}/provision`, { json: {} }),
      target.manager(`v1/segments/${part}/promote`, { json: {} }),
      target.manager(`v1/segments/${part}/release`, { json: {} }),
      target.manager(`v1/segments/${part}`),
      target.manager(`v1/segments/${part}`, { method: 'DELETE' }),
      target.manager(`segment/${part}`, { method: 'DELETE' }),
      target.syncLocal(`health/${part}`),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ ...invalid, status: 400 });
  });

  it('is refused as a token of a NATS subject', async () => {
    for (const token of ['=2E=2E=2Fx', '-x', '=20a'])
      for (const what of ['query', 'write'])
        expect(await target.overNats(`${what}.${token}`, 'select 1')).toMatchObject({ ...invalid, status: 400 });
    expect(await target.overNats('query.a=', 'select 1')).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
  });

  it('is refused by the command line before anything is asked, as wrong usage', async () => {
    const calls = [
      ['query', '../x', 'select 1'],
      ['write', '../x', 'select 1'],
      ...['provision', 'promote', 'release', 'shred'].map((one) => [one, '../x']),
    ];
    for (const call of calls) {
      const { code, stdout, stderr } = await verb(call, {
        env: { ...clientEnv(target.run), TROUGH_MANAGER_URL: 'http://127.0.0.1:9' },
      });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^trough: .*'\.\.\/x' is not a segment id: [^\n]*\(SEGMENT_ID_INVALID\)\n$/);
    }
  });
});

describe('a schema', () => {
  it('that does not compile is refused with the words of SQLite and not kept', async () => {
    const sql = 'create tabel x (a)';
    const answers = [
      await target.manager('schema/broken/sql', { method: 'PUT', body: sql }),
      await target.manager('schema/broken', { method: 'PUT', json: { id: 'broken', sql } }),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ code: 'SCHEMA_INVALID', status: 400, type: 'text/plain; charset=utf-8' });
      expect(answer.text).toBe('schema sql failed validation: near "tabel": syntax error');
    }
    const overBus = await target.overNats('sync.schema', { op: 'put', id: 'broken', sql });
    expect(overBus).toMatchObject({ code: 'SCHEMA_INVALID', status: 400 });
    const { code, stderr } = await verb(['schema', 'register', 'broken', '-'], {
      input: sql,
      env: clientEnv(target.run),
    });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'trough: schema sql failed validation: near "tabel": syntax error (SCHEMA_INVALID)\n',
    });
    expect((await target.manager('schema/broken')).status).toBe(404);
  });

  it('that nobody registered makes no segment', async () => {
    const unknown = { code: 'SCHEMA_UNKNOWN' };
    const legacy = await target.manager('provision', { json: { segment: 'new', schema: 'nosuch' } });
    expect(legacy).toMatchObject({ ...unknown, status: 500 });
    expect(await target.manager('v1/segments/new/provision', { json: { schema: 'nosuch' } })).toMatchObject({
      ...unknown,
      status: 404,
    });
    expect(await target.overNats('sync.provision', { segment: 'new', schema: 'nosuch' })).toMatchObject({
      ...unknown,
      status: 404,
    });
    expect(await target.cli('provision', 'new', '--schema', 'nosuch')).toEqual({
      code: 3,
      stdout: '',
      stderr: "trough: there is no schema 'nosuch'; register it first (SCHEMA_UNKNOWN)\n",
    });
    expect((await target.manager('v1/segments/new')).status).toBe(404);
  });

  it('that nobody registered is shown by the command line as one sentence and exit code 3', async () => {
    expect(await target.cli('schema', 'show', 'nosuch')).toEqual({
      code: 3,
      stdout: '',
      stderr: "trough: there is no schema 'nosuch' (SCHEMA_UNKNOWN)\n",
    });
  });
});
