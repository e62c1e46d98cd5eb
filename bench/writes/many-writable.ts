import { join } from 'node:path';
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from '../../src/model/percentile.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough } from '../../test/support/trough-process.ts';
import { type Record } from '../support/stage.ts';
import { usageOf } from '../support/usage.ts';
import { INSERT, writable, writeUrl } from './segments.ts';

const WRITTEN = 1_000;
const SOCKETS = 128;
/** The first time that a segment is written to after a rest it gets a connection, and another one loses its own: a thousand at once are not what is measured. */
const WARM_UP_SECONDS = 6;

/**
 * So many segments open for writing on one node, of which a thousand are written to once a second each: an open loop, so a write that waits for the
 * one before it is counted from the moment when it was due.
 */
export async function manyWritable(count: number, seconds: number, record: Record): Promise<void> {
  await using directory = await tempDir();
  await using node = await trough({ data: join(directory.path, 'data'), args: ['--log-level', 'warn'] });
  const urls = (await writable(node, count)).slice(0, WRITTEN).map((name) => writeUrl(node, name));
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  const beganAt = performance.now();
  const firstAt = beganAt + WARM_UP_SECONDS * 1_000;
  const endAt = firstAt + seconds * 1_000;
  const times: number[] = [];
  await Promise.all(
    urls.map(async (url, index) => {
      // The writes of a second are spread over it.
      for (let dueAt = beganAt + (index * 1_000) / urls.length; dueAt < endAt; dueAt += 1_000) {
        await pause(Math.max(0, dueAt - performance.now()));
        await write(agent, url);
        if (dueAt >= firstAt) times.push(performance.now() - dueAt);
      }
    }),
  );
  agent.destroy();
  times.sort((a, b) => a - b);
  const { pssMiB, rssMiB, fds } = await usageOf(node.pid);
  record('writes/s', 'trough', (times.length / (endAt - firstAt)) * 1_000);
  record('p50 ms', 'trough', percentile(times, 0.5) ?? NaN);
  record('p99 ms', 'trough', percentile(times, 0.99) ?? NaN);
  record('slowest, ms', 'trough', times.at(-1) ?? NaN);
  record('PSS of all processes, MiB', 'trough', pssMiB);
  record('RSS of all processes, MiB', 'trough', rssMiB);
  record('open fds', 'trough', fds);
}

function write(agent: Agent, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { agent, method: 'POST' }, (answer) => {
      answer.resume();
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`a write was answered ${String(answer.statusCode)}`));
      });
    });
    sent.on('error', reject);
    sent.end(INSERT);
  });
}
