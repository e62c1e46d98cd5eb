import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFrom } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, type TroughRun, verb } from '../support/trough-process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FLIGHTS = join(ROOT, 'node_modules', 'vega-datasets', 'data', 'flights-airport.csv');

interface Sums {
  readonly rows: number;
  readonly flights: number;
}

/** By origin; the file has no quotes. */
async function sumsOfFile(): Promise<Map<string, Sums>> {
  const sums = new Map<string, Sums>();
  for (const line of (await readFile(FLIGHTS, 'utf8')).trim().split('\n').slice(1)) {
    const [origin = '', , count = ''] = line.split(',');
    const before = sums.get(origin) ?? { rows: 0, flights: 0 };
    sums.set(origin, { rows: before.rows + 1, flights: before.flights + Number(count) });
  }
  return sums;
}

async function sumsOfSegments(node: TroughRun, origins: Iterable<string>): Promise<Map<string, Sums>> {
  const sums = new Map<string, Sums>();
  for (const origin of origins) {
    const [row] = await readFrom(node, origin, 'select count(*) as rows, sum(count) as flights from flights_airport');
    sums.set(origin, row as unknown as Sums);
  }
  return sums;
}

function startImport(
  file: string,
  node: TroughRun,
): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
  const args = [join(ROOT, 'dist', 'main.js'), 'import', file, '--segment-by', 'origin', '--batch-rows', '5'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...clientEnv(node) },
  });
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (part: string) => said.push(part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => said.push(part));
  return { child, said: () => said.join(''), ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** Waits until the import has begun so many segments. */
async function begun(file: string, segments: number): Promise<void> {
  const state = `${file}.trough-import.json`;
  await eventually(
    `${String(segments)} segments begun`,
    async () => existsSync(state) && (await readFile(state, 'utf8')).split('\n').length > segments,
  );
}

test('an import and the cluster are killed together; resumed, every row is there once', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'flights-airport.csv');
  await copyFile(FLIGHTS, file);
  {
    await using node = await trough({ data: join(dir.path, 'data') });
    const running = startImport(file, node);
    await begun(file, 60);
    running.child.kill('SIGKILL');
    node.kill('SIGKILL');
    await Promise.all([running.ended, node.ended]);
  }
  await using node = await trough({ data: join(dir.path, 'data') });
  const again = await verb(['import', file, '--segment-by', 'origin'], { env: clientEnv(node) });
  expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/--resume continues it/) as string });
  const resumed = await verb(['import', file, '--segment-by', 'origin', '--resume'], { env: clientEnv(node) });
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.stdout).toMatch(/rows into \d+ segments \([\d,]+ were in already\) .*; 0 bad rows/);
  const expected = await sumsOfFile();
  expect(await sumsOfSegments(node, expected.keys())).toEqual(expected);
});

test('the cluster is killed and comes back while an import runs: it goes on by itself, every row is there once', async () => {
  await using dir = await tempDir();
  const file = join(dir.path, 'flights-airport.csv');
  await copyFile(FLIGHTS, file);
  const options = { data: join(dir.path, 'data') };
  await using first = await trough(options);
  const running = startImport(file, first);
  await begun(file, 60);
  first.kill('SIGKILL');
  await first.ended;
  await using second = await trough({ ...options, args: samePorts(first) });
  expect(await running.ended, running.said()).toBe(0);
  const expected = await sumsOfFile();
  expect(await sumsOfSegments(second, expected.keys())).toEqual(expected);
});

function samePorts({ ready: { urls } }: TroughRun): string[] {
  const port = (url: string | undefined): string => new URL(url ?? '').port;
  return [
    '--read-port',
    port(urls.read),
    '--write-port',
    port(urls.write),
    '--sync-master-port',
    port(urls.syncMaster),
  ];
}
