import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promote, writeTo } from '../../test/support/api.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough, type TroughRun } from '../../test/support/trough-process.ts';
import { httpLoad, type LoadResult } from '../support/http-load.ts';
import { type Record } from '../support/stage.ts';
import { insert, writable, writeUrl } from './segments.ts';

/** 100,000 rows of a thousand bytes. */
const FILL =
  'with recursive c(n) as (values (1) union all select n + 1 from c where n < 100000) insert into t (body) select hex(randomblob(500)) from c';
const CONNECTIONS = 16;
const SECONDS = 6;

/** The slowest write while a segment of 100 MB is promoted, beside the slowest without. */
export async function promotion(record: Record): Promise<void> {
  await using directory = await tempDir();
  await using node = await trough({ data: join(directory.path, 'data'), args: ['--log-level', 'warn'] });
  const [segment = ''] = await writable(node, 1);
  await writeTo(writeUrl(node, segment), FILL);
  const without = await writes(node, segment);
  let tookMs = 0;
  const meanwhile = async (): Promise<void> => {
    await pause(2_000);
    const beganAt = performance.now();
    await promote(node, segment);
    tookMs = performance.now() - beganAt;
  };
  const [during] = await Promise.all([writes(node, segment), meanwhile()]);
  record('promotion, ms', 'trough', tookMs);
  record('slowest write without, ms', 'trough', without.maxMs);
  record('slowest write meanwhile, ms', 'trough', during.maxMs);
  record('p99 without, ms', 'trough', without.p99Ms);
  record('p99 meanwhile, ms', 'trough', during.p99Ms);
}

async function writes(node: TroughRun, segment: string): Promise<LoadResult> {
  const load = await httpLoad({
    url: node.ready.urls.write ?? '',
    connections: CONNECTIONS,
    seconds: SECONDS,
    warmUpSeconds: 1,
    request: () => insert(segment),
  });
  if (load.failed > 0) throw new Error(`${String(load.failed)} writes failed: ${load.firstFailure ?? ''}`);
  return load;
}
