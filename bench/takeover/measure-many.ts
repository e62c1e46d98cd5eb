import { setTimeout as pause } from 'node:timers/promises';
import { provisionAll } from '../../test/support/api.ts';
import { LIST } from '../../test/support/append-load.ts';
import { eventually } from '../../test/support/eventually.ts';
import { natsServer } from '../../test/support/nats-server.ts';
import { type TroughRun } from '../../test/support/trough-process.ts';
import { usageOf } from '../support/usage.ts';
import { type TakeoverCluster, takeoverCluster } from './cluster.ts';

export interface ManyFigures {
  /** After the kill, ms: the first write acknowledged again, that of the last of the segments in use, and of all. */
  readonly firstMs: number;
  readonly hotMs: number;
  readonly allMs: number;
  /** Start of a node that has them all, until the last of them is written to again; ready; memory then, MiB. */
  readonly restartReadyMs: number;
  readonly restartMs: number;
  readonly restartPssMiB: number;
}

/** These are written to all the time; the others were once, and not promoted since. */
const HOT = 20;
const LONG_MS = 300_000;
const HOT_EVERY_MS = 50;
const OTHERS_EVERY_MS = 1_000;
const SETTLE_MS = 6_000;
const HOT_WRITES = 20;
/** By then its beats have named them. */
const HEARD_MS = 14_000;
/** Neither holds segments. */
const NO_WRITER = ['--role', 'sync-master,reader,sync-local'];

/** One writer with all the segments, restarted; then two more writers join and the first is killed. */
export async function measureMany(count: number): Promise<ManyFigures> {
  const segments = Array.from({ length: count }, (_, index) => `many-${String(index)}`);
  await using nats = await natsServer();
  await using cluster = await takeoverCluster(nats.url);
  await cluster.start('manager', ...NO_WRITER);
  await cluster.start('w1');
  const [manager] = cluster.nodes();
  if (manager === undefined) throw new Error('no node');
  await provisionAll(manager, segments, LIST);
  const restarted = await restart(cluster, segments);
  await cluster.start('w2');
  await cluster.start('w3');
  await pause(SETTLE_MS);
  return { ...restarted, ...(await kill(cluster, segments)) };
}

async function restart(
  cluster: TakeoverCluster,
  segments: readonly string[],
): Promise<Pick<ManyFigures, 'restartReadyMs' | 'restartMs' | 'restartPssMiB'>> {
  await cluster.end('w1', 'SIGTERM');
  const startedAt = performance.now();
  await cluster.start('w1');
  const restartReadyMs = performance.now() - startedAt;
  const writer = named(cluster, 'w1');
  await Promise.all(segments.map((segment) => isWritten(writer, segment, OTHERS_EVERY_MS)));
  const restartMs = performance.now() - startedAt;
  return { restartReadyMs, restartMs, restartPssMiB: (await usageOf(writer.pid)).pssMiB };
}

async function kill(
  cluster: TakeoverCluster,
  segments: readonly string[],
): Promise<Pick<ManyFigures, 'firstMs' | 'hotMs' | 'allMs'>> {
  const hot = segments.slice(0, HOT);
  const others = segments.slice(HOT);
  const w1 = named(cluster, 'w1');
  for (let written = 0; written < HOT_WRITES; written += 1)
    await Promise.all(hot.map((segment) => isWritten(w1, segment, HOT_EVERY_MS)));
  await pause(HEARD_MS);
  await cluster.end('w1', 'SIGKILL');
  const killedAt = performance.now();
  const w2 = named(cluster, 'w2');
  const after = async (segment: string, everyMs: number): Promise<number> => {
    await isWritten(w2, segment, everyMs);
    return performance.now() - killedAt;
  };
  const [hotTimes, otherTimes] = await Promise.all([
    Promise.all(hot.map((segment) => after(segment, HOT_EVERY_MS))),
    Promise.all(others.map((segment) => after(segment, OTHERS_EVERY_MS))),
  ]);
  return {
    firstMs: Math.min(...hotTimes, ...otherTimes),
    hotMs: Math.max(...hotTimes),
    allMs: Math.max(...hotTimes, ...otherTimes),
  };
}

function named(cluster: TakeoverCluster, name: string): TroughRun {
  const run = cluster.nodes().find(({ ready }) => ready.node === name);
  if (run === undefined) throw new Error(`${name} does not run`);
  return run;
}

/** Resolves when a write to it is acknowledged; refused ones are repeated. */
async function isWritten({ ready }: TroughRun, segment: string, everyMs: number): Promise<void> {
  const url = new URL(`v1/segments/${segment}/write`, ready.urls.write);
  const body = JSON.stringify({ statements: [{ sql: 'insert into list (number) values (1)' }] });
  // Not all of them in the same moment.
  await pause(Math.random() * everyMs);
  await eventually(
    `${segment} written`,
    async () => {
      const answer = await fetch(url, { method: 'POST', body }).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.ok === true) return true;
      await pause(everyMs);
      return false;
    },
    LONG_MS,
  );
}
