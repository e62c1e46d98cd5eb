/**
 * A first line: start to ready, provisions per second, and point reads over HTTP beside better-sqlite3 in this process, in one run on one
 * machine. The load shares the processors with the server.
 */
import Database from 'better-sqlite3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TroughRun, trough } from '../test/support/trough-process.ts';
import { httpLoad, type LoadResult, post } from './support/http-load.ts';
import { say } from './support/say.ts';

const ROWS = 1_000;
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 5);
const SEGMENT = 'bench';

const directory = await mkdtemp(join(tmpdir(), 'trough-bench-'));
try {
  const data = join(directory, 'data');
  const fresh = await timed(() => trough({ data }));
  await fresh.value[Symbol.asyncDispose]();
  const again = await timed(() => trough({ data }));
  await using node = again.value;
  say(`start to ready, new data directory   ${fresh.ms.toFixed(0)} ms`);
  say(`start to ready, existing one         ${again.ms.toFixed(0)} ms`);
  await provisions(node);
  await fill(node);
  const baseline = inProcess(directory);
  say(`point reads, better-sqlite3 in-process, prepared for each  ${baseline.toFixed(0)}/s`);
  for (const connections of [1, 64]) {
    const load = await httpLoad({
      url: node.ready.urls.read ?? '',
      connections,
      seconds: SECONDS,
      warmUpSeconds: 1,
      request: () =>
        post(`/?segment=${SEGMENT}`, `select * from t where id=${String(1 + Math.floor(Math.random() * ROWS))}`),
    });
    report(`point reads over HTTP, ${String(connections)} connection(s)`, load, baseline);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function provisions(node: TroughRun): Promise<void> {
  let made = 0;
  const load = await httpLoad({
    url: node.ready.urls.syncMaster ?? '',
    connections: 32,
    seconds: SECONDS,
    warmUpSeconds: 2,
    request: () => post('/provision', JSON.stringify({ segment: `p${String((made += 1))}` }), 'application/json'),
  });
  const { perSecond, p50Ms, p99Ms, failed } = load;
  const times = `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, ${String(failed)} failed`;
  say(`provisions, 32 at a time             ${perSecond.toFixed(0)}/s, ${times}`);
}

async function fill(node: TroughRun): Promise<void> {
  await control(node, '/provision', { segment: SEGMENT });
  const answer = await fetch(`${node.ready.urls.write ?? ''}?segment=${SEGMENT}`, { method: 'POST', body: script() });
  if (!answer.ok) throw new Error(await answer.text());
}

async function control(node: TroughRun, path: string, body: object): Promise<void> {
  const url = new URL(path, node.ready.urls.syncMaster);
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.arrayBuffer();
}

function inProcess(root: string): number {
  const database = new Database(join(root, 'baseline.sqlite'));
  database.exec(script());
  const endAt = performance.now() + SECONDS * 1_000;
  let count = 0;
  while (performance.now() < endAt) {
    const id = 1 + Math.floor(Math.random() * ROWS);
    JSON.stringify(database.prepare(`select * from t where id=${String(id)}`).all());
    count += 1;
  }
  database.close();
  return count / SECONDS;
}

function script(): string {
  const rows = Array.from(
    { length: ROWS },
    (_, index) => `(${String(index + 1)}, 'http://example.org/${String(index)}', 200, ${String(index * 7)})`,
  );
  return `create table t (id integer primary key, url text, status integer, bytes integer); insert into t values ${rows.join(',')};`;
}

function report(what: string, { perSecond, p50Ms, p99Ms, failed }: LoadResult, baseline: number): void {
  const ratio = (perSecond / baseline).toFixed(2);
  say(
    `${what.padEnd(37)}${perSecond.toFixed(0)}/s = ${ratio} of in-process, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${String(failed)} failed`,
  );
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedAt = performance.now();
  const value = await work();
  return { value, ms: performance.now() - startedAt };
}
