import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clusterStatus, promote, provision, readFrom, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { faultProxy } from '../support/fault-proxy.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { PlainHdfs } from '../support/hdfs-plain.ts';
import { httpCall } from '../support/http-call.ts';
import { natsServer } from '../support/nats-server.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough, type TroughRun } from '../support/trough-process.ts';

const run = promisify(execFile);
const SCAN_MS = 1_000;

let hdfs: TestHdfs;
beforeAll(async () => {
  hdfs = await testHdfs();
});
afterAll(() => hdfs[Symbol.asyncDispose]());

/** As any HDFS client would. */
async function curl(...args: string[]): Promise<string> {
  return (await run('curl', ['--silent', '--show-error', '--fail', '--location', ...args])).stdout;
}

function args(root: string, ...more: string[]): string[] {
  return argsAt(hdfs.authority, root, ...more);
}

function argsAt(authority: string, root: string, ...more: string[]): string[] {
  const cold = `webhdfs://root@${authority}${root}`;
  return ['--cold', cold, '--cold-scan-interval', `${String(SCAN_MS)}ms`, ...more];
}

/** Large enough for another thread to hash it. */
function makeDatabase(path: string, value: string): void {
  const database = new Database(path);
  database.exec('create table filler (x); insert into filler values (zeroblob(20000000))');
  database.exec(`create table t (a); insert into t values ('${value}')`);
  database.close();
}

async function stateOf({ ready }: TroughRun, segment: string): Promise<{ status: number; text: string }> {
  return httpCall(ready.urls.syncMaster, `v1/segments/${segment}`);
}

test('a promoted segment is a file that curl and sqlite3 read, other nodes have copies of it, and a shred takes it away', async () => {
  await using nats = await natsServer();
  await using dir = await tempDir();
  const nodeArgs = args('/promoted', '--nats', nats.url, '--copies', '2');
  await using first = await trough({ data: `${dir.path}/n1`, node: 'n1', args: nodeArgs });
  await using second = await trough({ data: `${dir.path}/n2`, node: 'n2', args: nodeArgs });
  const { writeUrl } = await provision(first, 'station-0042');
  await writeTo(writeUrl, "create table t (a); insert into t values ('first')");
  await promote(first, 'station-0042');

  const url = `${hdfs.url}/promoted/station-0/station-0042.sqlite?op=OPEN`;
  const file = join(dir.path, 'downloaded.sqlite');
  await curl('--output', file, url);
  const { stdout } = await run('sqlite3', [file, 'pragma integrity_check; select a from t']);
  expect(stdout).toBe('ok\nfirst\n');

  // Replaced while it is open for writing, and copied to both nodes.
  await writeTo(writeUrl, "insert into t values ('second')");
  await promote(first, 'station-0042');
  await curl('--output', file, url);
  expect((await run('sqlite3', [file, 'select count(*) from t'])).stdout).toBe('2\n');
  await eventually(
    'two copies',
    async () => (await clusterStatus(first)).nodes.reduce((sum, { copies }) => sum + copies, 0) === 2,
    30_000,
  );
  for (const node of [first, second]) {
    expect(await readFrom(node, 'station-0042', 'select a from t order by rowid')).toEqual([
      { a: 'first' },
      { a: 'second' },
    ]);
  }

  const released = await httpCall(first.ready.urls.syncMaster, 'v1/segments/station-0042/release', { method: 'POST' });
  expect(released.status).toBe(200);
  const shredded = await httpCall(first.ready.urls.syncMaster, 'v1/segments/station-0042', { method: 'DELETE' });
  expect(shredded.status).toBe(204);
  const plain = new PlainHdfs(hdfs.url);
  expect(await plain.files('/promoted')).toEqual([]);
});

test('a file that curl uploads is a segment after one look for new files, one that is half there is not', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: `${dir.path}/n1`, args: args('/foreign') });
  const plain = new PlainHdfs(hdfs.url);
  const file = join(dir.path, 'foreign.sqlite');
  makeDatabase(file, 'by somebody else');
  const half = await plain.begin('/foreign/half/half-done.sqlite', Buffer.alloc(700));
  const query = 'op=CREATE&overwrite=true&user.name=root';
  await curl('--upload-file', file, `${hdfs.url}/foreign/elsewhere/deep/uploaded-7.sqlite?${query}`);

  await eventually('the catalogue has it', async () => (await stateOf(node, 'uploaded-7')).status === 200, 30_000);
  expect((await stateOf(node, 'half-done')).status).toBe(404);
  expect(await readFrom(node, 'uploaded-7', 'select a from t')).toEqual([{ a: 'by somebody else' }]);
  half.breakOff();
});

test('while HDFS is read-only, full or away, held segments are read and written, and a promote says why it failed', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: `${dir.path}/n1`, args: args('/away') });
  const { writeUrl } = await provision(node, 'crawl-1');
  await writeTo(writeUrl, "create table t (a); insert into t values ('first')");
  await promote(node, 'crawl-1');

  const promoting = (): ReturnType<typeof httpCall> =>
    httpCall(node.ready.urls.syncMaster, 'v1/segments/crawl-1/promote', { method: 'POST' });
  const goesOn = async (value: string): Promise<void> => {
    await writeTo(writeUrl, `insert into t values ('${value}')`);
    expect(await readFrom(node, 'crawl-1', `select a from t where a = '${value}'`)).toEqual([{ a: value }]);
    expect(await promoting()).toMatchObject({ status: 500, code: 'COLD_FAILED' });
  };

  await hdfs.safeMode(true);
  await goesOn('in safe mode');
  expect((await promoting()).text).toContain('SafeModeException');
  await hdfs.safeMode(false);

  await hdfs.quota('/away', 1);
  await goesOn('without room');
  expect((await promoting()).text).toContain('DSQuotaExceededException');
  await hdfs.quota('/away', undefined);

  await hdfs.stopNameNode();
  await goesOn('without a name node');
  await hdfs.startNameNode();

  await eventually('a promote', async () => (await promoting()).status === 200, 60_000);
  const file = join(dir.path, 'downloaded.sqlite');
  await curl('--output', file, `${hdfs.url}/away/craw/crawl-1.sqlite?op=OPEN`);
  expect((await run('sqlite3', [file, 'select count(*) from t'])).stdout).toBe('4\n');
  expect(await new PlainHdfs(hdfs.url).files('/away')).toEqual(['craw/crawl-1.sqlite']);
});

test('while HDFS lets one byte through in a second, held segments are read and written; what was waiting ends well when it is quick again', async () => {
  await using dir = await tempDir();
  let isSlow = false;
  await using proxy = await faultProxy(hdfs.authority, { fault: () => (isSlow ? 'slow' : undefined) });
  await using node = await trough({ data: `${dir.path}/n1`, args: argsAt(proxy.authority, '/slow') });
  const { writeUrl } = await provision(node, 'crawl-1');
  await writeTo(writeUrl, "create table t (a); insert into t values ('first')");
  await promote(node, 'crawl-1');
  const promoting = (): ReturnType<typeof httpCall> =>
    httpCall(node.ready.urls.syncMaster, 'v1/segments/crawl-1/promote', { method: 'POST' });

  isSlow = true;
  await writeTo(writeUrl, "insert into t values ('second')");
  const seenBefore = proxy.seen.length;
  const begun = promoting();
  await eventually('HDFS was asked', () => proxy.seen.length > seenBefore, 30_000);
  await writeTo(writeUrl, "insert into t values ('third')");
  expect(await readFrom(node, 'crawl-1', 'select count(*) n from t')).toEqual([{ n: 3 }]);
  isSlow = false;
  await begun;

  await eventually('a promote', async () => (await promoting()).status === 200, 60_000);
  const file = join(dir.path, 'downloaded.sqlite');
  await curl('--output', file, `${hdfs.url}/slow/craw/crawl-1.sqlite?op=OPEN`);
  expect((await run('sqlite3', [file, 'select count(*) from t'])).stdout).toBe('3\n');
});
