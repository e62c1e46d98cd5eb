import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { natsCluster } from '../../test/support/nats-cluster.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough } from '../../test/support/trough-process.ts';
import { httpLoad, type LoadResult } from '../support/http-load.ts';
import { type Record } from '../support/stage.ts';
import { insert, ROW_BYTES, writable } from './segments.ts';
import { SLOW_DISK } from './slow-disk.ts';

export interface WriteLoad {
  readonly connections: number;
  readonly segments: number;
  /** On three servers that replicate, in place of the node's own. */
  readonly cluster?: true;
  readonly slowDisk?: true;
}

const LOOP = join(import.meta.dirname, '..', 'processes', 'write-loop.ts');
const WARM_UP_SECONDS = 1;

/** Durable inserts over HTTP, one round, beside better-sqlite3 in a loop on the same disk: B in DELETE mode, W in WAL mode, both FULL. */
export async function writeLoad(load: WriteLoad, seconds: number, record: Record): Promise<void> {
  await using directory = await tempDir();
  const under = load.slowDisk === true ? SLOW_DISK : [];
  for (const [system, mode] of [
    ['B', 'DELETE'],
    ['W', 'WAL'],
  ] as const) {
    record('writes/s', system, await loop(directory.path, mode, seconds, under));
  }
  const { perSecond, p50Ms, p99Ms } = await loadOf(load, directory.path, seconds, under);
  record('writes/s', 'trough', perSecond);
  record('p50 ms', 'trough', p50Ms);
  record('p99 ms', 'trough', p99Ms);
}

async function loop(directory: string, mode: string, seconds: number, under: readonly string[]): Promise<number> {
  const [program, ...flags] = [...under, process.execPath, LOOP, directory, mode, String(ROW_BYTES)];
  const { stdout } = await promisify(execFile)(program, [...flags, String(Math.min(seconds, 3))]);
  const rate = Number(stdout);
  if (!(rate > 0)) throw new Error(`no rate from the loop: ${stdout}`);
  return rate;
}

async function loadOf(
  { connections, segments, cluster }: WriteLoad,
  directory: string,
  seconds: number,
  under: readonly string[],
): Promise<LoadResult> {
  await using servers = cluster === true ? await natsCluster() : undefined;
  const nats = servers === undefined ? [] : ['--nats', servers.urls.join(',')];
  await using node = await trough({ data: join(directory, 'data'), args: ['--log-level', 'warn', ...nats], under });
  const names = await writable(node, segments);
  let next = 0;
  const load = await httpLoad({
    url: node.ready.urls.write ?? '',
    connections,
    seconds,
    warmUpSeconds: WARM_UP_SECONDS,
    request: () => insert(names[next++ % names.length] ?? ''),
  });
  if (load.failed > 0) throw new Error(`${String(load.failed)} writes failed: ${load.firstFailure ?? ''}`);
  return load;
}
