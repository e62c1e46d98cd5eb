import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { promote, provision, readFrom, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type CallAnswer, httpCall } from '../support/http-call.ts';
import { natsServer, type TestNatsServer } from '../support/nats-server.ts';
import { descendants, type SeenProcess } from '../support/process-tree.ts';
import { statement } from '../support/request-target.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough, type TroughRun, troughStarting } from '../support/trough-process.ts';

describe('a NATS server that cannot be reached at the start', () => {
  it('is tried again, with a message that names it, until it is there', async () => {
    await using nats = await natsServer();
    await using dir = await tempDir();
    await nats.stop();
    await using run = troughStarting({ data: `${dir.path}/data`, args: ['--nats', nats.url] });
    await eventually('the message', () => run.log().includes('NATS is not reachable, trying again'));
    expect(run.log()).toContain(nats.url);
    await nats.restart();
    expect((await run.ready).urls.nats).toBe(nats.url);
  });

  it('leaves the ports open meanwhile: /healthz says yes, /readyz says why not, and everything else to try again', async () => {
    await using nats = await natsServer();
    await using dir = await tempDir();
    await nats.stop();
    const port = await freePort();
    const args = ['--nats', nats.url, '--read-port', String(port)];
    await using run = troughStarting({ data: `${dir.path}/data`, args });
    await eventually('the message', () => run.log().includes('NATS is not reachable, trying again'));
    const url = `http://127.0.0.1:${String(port)}/`;
    expect((await httpCall(url, 'healthz')).status).toBe(200);
    const readyz = await httpCall(url, 'readyz');
    expect(readyz.status).toBe(503);
    expect(readyz.text).toContain('NATS');
    expect((await httpCall(url, '?segment=a', { body: 'select 1' })).text).toMatch(/^500 Server Error: .*starting/);
    expect((await httpCall(url, 'v1/segments/a/query', { json: { sql: 'select 1' } })).status).toBe(503);
    await nats.restart();
    await run.ready;
    expect((await httpCall(url, 'readyz')).status).toBe(200);
  });

  it('does not keep the process from ending quickly, with exit code 0, when it is told to', async () => {
    await using nats = await natsServer();
    await using dir = await tempDir();
    await nats.stop();
    await using run = troughStarting({ data: `${dir.path}/data`, args: ['--nats', nats.url] });
    await eventually('the message', () => run.log().includes('NATS is not reachable, trying again'));
    const asked = performance.now();
    run.kill('SIGTERM');
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(2_000);
  });
});

describe('a NATS server that is killed under a running trough', () => {
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let nats: TestNatsServer;
  let run: TroughRun & AsyncDisposable;
  let before: readonly SeenProcess[];

  beforeAll(async () => {
    nats = await natsServer();
    dir = await tempDir();
    run = await trough({ data: `${dir.path}/data`, args: ['--nats', nats.url] });
    for (const segment of ['hot', 'published']) {
      const { writeUrl } = await provision(run, segment);
      await writeTo(writeUrl, `create table t (a); insert into t values ('${segment}')`);
    }
    await promote(run, 'published');
    expect((await httpCall(run.ready.urls.syncMaster, 'v1/segments/published/release', { json: {} })).status).toBe(200);
    before = await descendants(run.pid);
    await nats.kill();
  });

  afterAll(async () => {
    await run[Symbol.asyncDispose]();
    await nats[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  const query = (segment: string, consistency: string): Promise<CallAnswer> =>
    httpCall(run.ready.urls.read, `v1/segments/${segment}/query`, { json: { sql: 'select a from t', consistency } });

  it('makes every port unready with the reason, and leaves it alive', async () => {
    const { read, write, syncMaster, syncLocal } = run.ready.urls;
    for (const url of [read, write, syncMaster, syncLocal]) {
      const answer = await eventually('unready', async () => {
        const one = await httpCall(url, 'readyz');
        return one.status === 503 && one;
      });
      expect((JSON.parse(answer.text) as { reasons: string[] }).reasons).toContain('NATS is not reachable');
      expect((await httpCall(url, 'healthz')).status).toBe(200);
    }
  });

  it('leaves reads of local segments that ask for any state', async () => {
    for (const segment of ['hot', 'published']) {
      const answer = await query(segment, 'any');
      expect(answer.status, answer.text).toBe(200);
      expect(JSON.parse(answer.text)).toMatchObject({ rows: [[segment]] });
    }
  });

  it('makes strong reads of writable segments busy once nobody confirms the lease, and never wrong until then', async () => {
    const refused = await eventually(
      'a strong read is refused',
      async () => {
        const answer = await query('hot', 'strong');
        if (answer.status !== 200) return answer;
        expect(JSON.parse(answer.text)).toMatchObject({ rows: [['hot']] });
        return false;
      },
      20_000,
    );
    expect(refused.status, refused.text).toBe(503);
  });

  it('makes writes busy, in /v1 and in the words of the original, and keeps none of them', async () => {
    const sql = "insert into t values ('lost')";
    const modern = await httpCall(run.ready.urls.write, 'v1/segments/hot/write', statement(sql));
    expect(modern.status, modern.text).toBe(503);
    const legacy = await httpCall(run.ready.urls.write, '?segment=hot', { body: sql });
    expect(legacy).toMatchObject({ status: 500, type: 'text/plain' });
    expect(legacy.text).toMatch(/^500 Server Error: ./);
    expect(JSON.parse((await query('hot', 'any')).text)).toMatchObject({ rows: [['hot']] });
  });

  it('makes a provision busy instead of losing it', async () => {
    const answer = await httpCall(run.ready.urls.syncMaster, 'v1/segments/new/provision', { json: {} });
    expect(answer.status, answer.text).toBe(503);
  });

  it('is found again when it is back: everything works as before, without a restart', async () => {
    await nats.restart();
    const { read, write, syncMaster, syncLocal } = run.ready.urls;
    for (const url of [read, write, syncMaster, syncLocal])
      await eventually('ready', async () => (await httpCall(url, 'readyz')).status === 200, 20_000);
    const { writeUrl } = await provision(run, 'after');
    await writeTo(writeUrl, "create table t (a); insert into t values ('after')");
    await eventually('a write to the segment that was open all the time', async () => {
      const { status } = await httpCall(
        run.ready.urls.write,
        'v1/segments/hot/write',
        statement("insert into t values ('more')"),
      );
      return status === 200;
    });
    expect(await readFrom(run, 'hot', 'select a from t')).toEqual([{ a: 'hot' }, { a: 'more' }]);
    for (const segment of ['published', 'after'])
      expect(await readFrom(run, segment, 'select a from t')).toEqual([{ a: segment }]);
    await promote(run, 'hot');
    // None was started again; one that is only started under load may have come.
    expect(await descendants(run.pid)).toEqual(expect.arrayContaining([...before]));
  });
});

describe('a nats-server of its own that is killed', () => {
  it('is started again, and everything works as before', async () => {
    await using dir = await tempDir();
    await using run = await trough({ data: `${dir.path}/data` });
    const { writeUrl } = await provision(run, 'hot');
    await writeTo(writeUrl, "create table t (a); insert into t values ('before')");
    const servers = (): string[] =>
      Array.from(run.log().matchAll(/"pid":(\d+)[^\n]*nats-server is ready/g), ([, pid = '']) => pid);
    const [first] = servers();
    process.kill(Number(first), 'SIGKILL');
    await eventually('another nats-server', () => servers().length === 2);
    await eventually('ready', async () => (await httpCall(run.ready.urls.write, 'readyz')).status === 200, 20_000);
    await writeTo(writeUrl, "insert into t values ('after')");
    expect(await readFrom(run, 'hot', 'select a from t')).toEqual([{ a: 'before' }, { a: 'after' }]);
    await writeTo((await provision(run, 'another')).writeUrl, 'create table t (a)');
  });
});
