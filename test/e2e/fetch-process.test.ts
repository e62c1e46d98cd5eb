import { readFileSync } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { dataPaths } from '../../src/model/paths.ts';
import { clusterStatus, readFrom } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { natsServer } from '../support/nats-server.ts';
import { descendants, isAlive } from '../support/process-tree.ts';
import { tempDir } from '../support/temp-dir.ts';
import { trough } from '../support/trough-process.ts';

const LONG_MS = 120_000;
const LARGE_BYTES = 256 * 2 ** 20;

test('copies are fetched in a process of low priority; when it is killed in mid-fetch the copy comes all the same, whole; it ends with the node', async () => {
  await using dir = await tempDir();
  const cold = join(dir.path, 'cold');
  const data = join(dir.path, 'data');
  const paths = dataPaths(data);
  await makeLarge(join(cold, 'lar'), 'large1');
  await using nats = await natsServer();
  await using node = await trough({
    data,
    args: ['--nats', nats.url, '--cold', cold, '--cold-scan-interval', '1s', '--log-level', 'info'],
  });

  const first = await eventually('a copy is being fetched', () => fetcherAtWork(node.pid, paths.tmpDir), LONG_MS);
  const nicenesses = [getPriority(node.pid), getPriority(first)] as const;
  process.kill(first, 'SIGKILL');
  expect(nicenesses[1]).toBeGreaterThan(nicenesses[0]);
  const second = await eventually(
    'another process fetches it',
    async () => (await fetchers(node.pid)).find((pid) => pid !== first),
    LONG_MS,
  );

  await eventually('the copy is here', async () => (await clusterStatus(node)).nodes[0]?.copies === 1, LONG_MS);
  expect(await readFrom(node, 'large1', 'select length(content) as bytes, word from t')).toEqual([
    { bytes: LARGE_BYTES, word: 'the last' },
  ]);
  expect(await readdir(paths.tmpDir)).toEqual([]);
  expect(node.log()).toContain('the process that fetches copies died');
  node.kill('SIGKILL');
  await eventually('the other one ends with its parent', () => !isAlive(second), LONG_MS);
});

async function makeLarge(directory: string, segment: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const database = new Database(join(directory, `${segment}.sqlite`));
  database.exec(
    `create table t (content blob, word text); insert into t values (zeroblob(${String(LARGE_BYTES)}), 'the last')`,
  );
  database.close();
}

/** The processes of a trough that fetch, by how they were started. */
async function fetchers(pid: number): Promise<number[]> {
  const all = await descendants(pid);
  return all.map((each) => each.pid).filter((each) => commandOf(each).includes('/fetch-child.'));
}

async function fetcherAtWork(pid: number, directory: string): Promise<number | undefined> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.part'));
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        (found) => found.size,
        () => 0,
      ),
    ),
  );
  return sizes.some((size) => size > 0) ? (await fetchers(pid))[0] : undefined;
}

/** Empty when it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
