import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseColdPlace, type WebHdfsPlace } from '../../src/model/cold-place.ts';
import { WebHdfs } from '../../src/cold/webhdfs/webhdfs.ts';
import { type WebHdfsOptions } from '../../src/cold/webhdfs/webhdfs-options.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { listed, seg, sha } from '../contract/cold-harness.ts';
import { faultProxy, type FaultProxy } from '../support/fault-proxy.ts';
import { testHdfs, type TestHdfs } from '../support/hdfs.ts';
import { hdfsGateway, makeCertificate } from '../support/hdfs-gateway.ts';
import { recordingLog } from '../support/recording-log.ts';
import { tempDir } from '../support/temp-dir.ts';

const PREFIX = '/gateway/default';
const id = seg('crawl-1');

let hdfs: TestHdfs;
let proxy: FaultProxy;
beforeAll(async () => {
  hdfs = await testHdfs();
  proxy = await faultProxy(hdfs.authority);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await hdfs[Symbol.asyncDispose]();
});

function store(address: string, options: Partial<WebHdfsOptions> = {}): WebHdfs {
  const place = parseColdPlace(address) as WebHdfsPlace;
  const times = { pauseMs: 20, attempts: 2 };
  const apiPath = `${PREFIX}/webhdfs/v1`;
  return new WebHdfs(
    { place, clock: systemClock, random: Math.random, apiPath, times, ...options },
    recordingLog().log,
  );
}

async function roundTrip(cold: WebHdfs, dir: string): Promise<void> {
  await writeFile(join(dir, 'from'), 'content');
  await cold.probe();
  await cold.publish(id, join(dir, 'from'), sha('content'));
  expect((await listed(cold)).files).toEqual(['crawl-1']);
  await cold.fetch(id, join(dir, 'to'), {});
  expect(await readFile(join(dir, 'to'), 'utf8')).toBe('content');
  expect(await cold.remove(id)).toBe(true);
}

test('over https, with its authority, below a path prefix and with a header that changes meanwhile', async () => {
  await using dir = await tempDir();
  const certificate = await makeCertificate(dir.path);
  let right = 'Basic first';
  const accepts = (authorization: string | undefined): boolean => authorization === right;
  await using gateway = await hdfsGateway({ upstream: proxy.authority, prefix: PREFIX, certificate, accepts });
  const authorizationFile = join(dir.path, 'authorization');
  await writeFile(authorizationFile, 'Basic first\n');
  const { caFile } = certificate;
  using cold = store(`swebhdfs://root@localhost:${String(gateway.port)}/secure`, { authorizationFile, caFile });
  await roundTrip(cold, dir.path);
  right = 'Bearer second';
  await expect(cold.stat(id)).rejects.toMatchObject({ code: 'COLD_FAILED', context: { status: 401 } });
  await writeFile(authorizationFile, 'Bearer second\n');
  expect(await cold.stat(id)).toBeUndefined();
});

test('a certificate that nobody has signed is refused', async () => {
  await using dir = await tempDir();
  const certificate = await makeCertificate(dir.path);
  await using gateway = await hdfsGateway({ upstream: proxy.authority, prefix: PREFIX, certificate });
  using cold = store(`swebhdfs://root@localhost:${String(gateway.port)}/secure`);
  await expect(cold.probe()).rejects.toThrow(/self-signed certificate/);
});

test('the header goes to the address that was named, not to where an answer sends us on', async () => {
  await using dir = await tempDir();
  await using gateway = await hdfsGateway({ upstream: proxy.authority, prefix: PREFIX, redirectHost: '127.0.0.1' });
  const authorizationFile = join(dir.path, 'authorization');
  await writeFile(authorizationFile, 'Basic secret');
  using cold = store(`webhdfs://root@localhost:${String(gateway.port)}/plain`, { authorizationFile });
  await roundTrip(cold, dir.path);
  const toNodes = gateway.seen.filter(({ path }) => path.includes('/dn/'));
  expect(toNodes.length).toBeGreaterThan(2);
  expect(new Set(toNodes.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  const toNames = gateway.seen.filter(({ path }) => !path.includes('/dn/'));
  expect(new Set(toNames.map(({ authorization }) => authorization))).toEqual(new Set(['Basic secret']));
});

test('a page 404 of what is no HDFS does not mean that a segment is gone', async () => {
  await using gateway = await hdfsGateway({ upstream: proxy.authority, prefix: '/elsewhere' });
  using cold = store(`webhdfs://root@localhost:${String(gateway.port)}/plain`);
  await expect(cold.stat(id)).rejects.toMatchObject({ code: 'COLD_FAILED', context: { status: 404 } });
});
