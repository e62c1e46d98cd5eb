import Database from 'better-sqlite3';
import { link, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { coldPath } from '../../src/model/cold-path.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';
import { clusterStatus } from '../../test/support/api.ts';
import { eventually } from '../../test/support/eventually.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { trough, type TroughRun } from '../../test/support/trough-process.ts';
import { contentSql, pointRead } from '../support/dataset.ts';
import { httpLoad, type LoadResult, post } from '../support/http-load.ts';
import { median } from '../support/samples.ts';
import { say } from '../support/say.ts';

const CONNECTIONS = 16;
const READ = parseSegmentId('points-000');
const LARGE_MIB = 64;
const WITHIN_MS = 300_000;

interface Round {
  readonly alone: LoadResult;
  readonly beside: LoadResult;
  readonly mibPerSecond: number;
}

/**
 * Point reads on a node, alone and while it fetches so many copies of 64 MiB from a directory: rate and p99, and the one divided by the other. Each round
 * has a node of its own.
 */
export async function measureFetching(rounds: number, seconds: number, files: number): Promise<readonly string[]> {
  say(
    `  one node, point reads over ${String(CONNECTIONS)} connections, beside fetches of files of ${String(LARGE_MIB)} MiB:`,
  );
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const { alone, beside, mibPerSecond } = await measureRound(seconds, files);
    ratios.push(beside.p99Ms / alone.p99Ms);
    rates.push(beside.perSecond / alone.perSecond);
    say(
      `    round ${String(round)}: alone ${alone.perSecond.toFixed(0)}/s, p99 ${alone.p99Ms.toFixed(2)} ms; beside fetches of ` +
        `${mibPerSecond.toFixed(0)} MiB/s ${beside.perSecond.toFixed(0)}/s, p99 ${beside.p99Ms.toFixed(2)} ms, longest ${beside.maxMs.toFixed(0)} ms`,
    );
  }
  say(`    beside fetches, of alone: p99 ${median(ratios).toFixed(2)}, rate ${median(rates).toFixed(2)}`);
  return [];
}

async function measureRound(seconds: number, files: number): Promise<Round> {
  await using dir = await tempDir();
  const cold = join(dir.path, 'cold');
  await placeSmall(cold);
  const large = makeLarge(dir.path);
  await using node = await trough({
    data: join(dir.path, 'data'),
    args: ['--cold', cold, '--copies', '1', '--cold-scan-interval', '1s', '--log-level', 'warn'],
  });
  await eventually('the copy that is read', async () => (await copiesOf(node)) === 1, WITHIN_MS);
  const load = (): Promise<LoadResult> =>
    httpLoad({
      url: node.ready.urls.read ?? '',
      ...{ connections: CONNECTIONS, seconds, warmUpSeconds: 1 },
      request: () => post(`/?segment=${READ}`, pointRead()),
    });
  const alone = await load();
  for (let index = 0; index < files; index += 1) await place(large, cold, parseSegmentId(`large-${String(index)}`));
  await eventually('the first of the fetched copies', async () => (await copiesOf(node)) > 1, WITHIN_MS);
  const before = await copiesOf(node);
  const startedAt = performance.now();
  const beside = await load();
  const after = await copiesOf(node);
  const mibPerSecond = ((after - before) * LARGE_MIB * 1_000) / (performance.now() - startedAt);
  if (after === files + 1) throw new Error('all was fetched before the end: more files are needed');
  for (const { failed, firstFailure } of [alone, beside]) {
    if (failed > 0) throw new Error(`${String(failed)} reads failed: ${firstFailure ?? ''}`);
  }
  return { alone, beside, mibPerSecond };
}

async function copiesOf(node: TroughRun): Promise<number> {
  return (await clusterStatus(node)).nodes[0]?.copies ?? 0;
}

async function placeSmall(cold: string): Promise<void> {
  const target = join(cold, coldPath(READ));
  await mkdir(dirname(target), { recursive: true });
  const database = new Database(target);
  database.exec(contentSql());
  database.close();
}

/** Only one has blocks of its own: the others are names of it. */
function makeLarge(directory: string): string {
  const file = join(directory, 'large');
  const database = new Database(file);
  database.exec(`create table t (content blob); insert into t values (zeroblob(${String(LARGE_MIB * 2 ** 20)}))`);
  database.close();
  return file;
}

async function place(file: string, cold: string, id: SegmentId): Promise<void> {
  const target = join(cold, coldPath(id));
  await mkdir(dirname(target), { recursive: true });
  await link(file, `${file}-name`);
  await rename(`${file}-name`, target);
}
