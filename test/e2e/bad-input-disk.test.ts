import { mkdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { promote, provision, readFrom, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type CallAnswer, httpCall } from '../support/http-call.ts';
import { natsServer, type TestNatsServer } from '../support/nats-server.ts';
import { statement } from '../support/request-target.ts';
import { mayMountDisks, type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough, troughThatFails, type TroughRun } from '../support/trough-process.ts';

const DISK_MB = 32;
const mayMount = await mayMountDisks();

describe.skipIf(!mayMount)('a full disk (needs leave to mount a tmpfs)', () => {
  const BIG = `insert into t select hex(randomblob(500000)) from (values (1),(2),(3),(4))`;
  let disk: SmallDisk;
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let nats: TestNatsServer;
  let node: TroughRun & AsyncDisposable;

  beforeAll(async () => {
    disk = await smallDisk(DISK_MB);
    dir = await tempDir();
    nats = await natsServer();
    node = await trough({ data: `${disk.path}/data`, args: ['--nats', nats.url, '--cold', `${dir.path}/cold`] });
    const { writeUrl } = await provision(node, 'kept');
    await writeTo(writeUrl, "create table t (a); insert into t values ('before')");
  });

  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    await nats[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  const write = (sql: string): Promise<CallAnswer> =>
    httpCall(node.ready.urls.write, 'v1/segments/kept/write', statement(sql));

  it('fails a write that needs room with DISK_FULL, surely not kept, and in the words of SQLite for the original', async () => {
    await disk.fill();
    const modern = await write(BIG);
    expect(modern, modern.text).toMatchObject({ code: 'DISK_FULL', status: 500 });
    const legacy = await httpCall(node.ready.urls.write, '?segment=kept', { body: BIG });
    expect(legacy, legacy.text).toMatchObject({ code: 'DISK_FULL', status: 500, type: 'text/plain' });
    expect(legacy.text).toMatch(/^500 Server Error: .*full/);
  });

  it('still answers reads, and the failed writes left nothing', async () => {
    expect(await readFrom(node, 'kept', 'select a from t')).toEqual([{ a: 'before' }]);
    expect((await httpCall(node.ready.urls.read, 'healthz')).status).toBe(200);
  });

  it('fails a provision with DISK_FULL', async () => {
    const answer = await httpCall(node.ready.urls.syncMaster, 'v1/segments/more/provision', { json: {} });
    expect(answer, answer.text).toMatchObject({ code: 'DISK_FULL', status: 500 });
  });

  it('fails a promote with DISK_FULL', async () => {
    const answer = await httpCall(node.ready.urls.syncMaster, 'v1/segments/kept/promote', { json: {} });
    expect(answer, answer.text).toMatchObject({ code: 'DISK_FULL', status: 500 });
  });

  it('is forgotten when there is room again: writes, provisions and promotes work without a restart', async () => {
    await disk.makeRoom();
    expect(await write("insert into t values ('after')")).toMatchObject({ status: 200 });
    const { writeUrl } = await eventually('a provision', () => provision(node, 'more').catch(() => undefined));
    await writeTo(writeUrl, 'create table t (a)');
    await promote(node, 'kept');
    expect(await readFrom(node, 'kept', 'select a from t')).toEqual([{ a: 'before' }, { a: 'after' }]);
  });

  it('refuses a start with the reason', async () => {
    await mkdir(`${disk.path}/second`);
    await disk.fill();
    const { code, stderr } = await troughThatFails({ data: `${disk.path}/second` });
    await disk.makeRoom();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^trough: the data directory [^\n]* cannot be used: its disk is full: [^\n]*\n$/);
  });
});

describe.skipIf(!mayMount)('a full disk under the nats-server of its own (needs leave to mount a tmpfs)', () => {
  it('makes writes fail and the process unready at most, and everything works again when there is room', async () => {
    await using disk = await smallDisk(DISK_MB);
    await using node = await trough({ data: `${disk.path}/data` });
    const { writeUrl } = await provision(node, 'kept');
    await writeTo(writeUrl, "create table t (a); insert into t values ('before')");
    await disk.fill();
    const write = (sql: string): Promise<CallAnswer> =>
      httpCall(node.ready.urls.write, 'v1/segments/kept/write', statement(sql));
    expect((await write('insert into t select hex(randomblob(2000000))')).status).toBeGreaterThanOrEqual(500);
    await disk.makeRoom();
    await eventually(
      'a provision',
      () =>
        provision(node, 'more').then(
          () => true,
          () => false,
        ),
      30_000,
    );
    await eventually('a write', async () => (await write("insert into t values ('after')")).status === 200, 30_000);
    expect(await readFrom(node, 'kept', 'select a from t')).toEqual([{ a: 'before' }, { a: 'after' }]);
  });
});
