/**
 * One node with very many segments under point reads of all of them at random, for minutes. Ends with 1 when a request failed, or when open
 * files or memory of its processes are not flat after the warm-up. From the environment: BENCH_HUGE (segments), BENCH_MINUTES,
 * BENCH_WARM_UP_MINUTES, BENCH_WINDOW_SECONDS, BENCH_KEEP_IN, BENCH_TROUGH_ARGS.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { touch } from './lines/many.ts';
import { conditions } from './support/conditions.ts';
import { pointRead, segmentAt } from './support/dataset.ts';
import { growth, type Window } from './support/growth.ts';
import { httpLoad, post } from './support/http-load.ts';
import { planFrom, positive } from './support/plan.ts';
import { below } from './support/random.ts';
import { shown } from './support/samples.ts';
import { say } from './support/say.ts';
import { openStage, readUrl, type Stage } from './support/stage.ts';
import { usageOf } from './support/usage.ts';

const CONNECTIONS = 64;

const plan = planFrom(process.env);
const minutes = positive(process.env, 'BENCH_MINUTES', 10);
const warmUpMinutes = positive(process.env, 'BENCH_WARM_UP_MINUTES', Math.min(2, minutes / 4));
const seconds = positive(process.env, 'BENCH_WINDOW_SECONDS', 30);

for (const line of conditions(plan)) say(line);
const directory = plan.keepIn ?? (await mkdtemp(join(tmpdir(), 'trough-bench-')));
try {
  await mkdir(directory, { recursive: true });
  await using stage = await openStage(plan, directory, plan.huge);
  await touch(stage);
  const windows = await watch(stage);
  const verdicts = growth(windows.filter(({ minute }) => minute > warmUpMinutes));
  for (const { sentence } of verdicts) say(sentence);
  process.exitCode = verdicts.every(({ ok }) => ok) ? 0 : 1;
} finally {
  if (plan.keepIn === undefined) await rm(directory, { recursive: true, force: true });
}

async function watch(stage: Stage): Promise<readonly Window[]> {
  say('| minute | answers/s | p50 ms | p99 ms | failed | RSS MiB | PSS MiB | open fds | processes |');
  say('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  const windows: Window[] = [];
  const request = (): Buffer => post(`/?segment=${segmentAt(below(stage.set.count))}`, pointRead());
  const startedAt = performance.now();
  for (let minute = 0; minute < minutes; minute = (performance.now() - startedAt) / 60_000) {
    const load = { url: readUrl(stage), connections: CONNECTIONS, seconds, warmUpSeconds: 0, request };
    const { perSecond, p50Ms, p99Ms, failed, firstFailure } = await httpLoad(load);
    const { rssMiB, pssMiB, fds, processes } = await usageOf(stage.node.pid);
    const now = (performance.now() - startedAt) / 60_000;
    windows.push({ minute: now, perSecond, failed, rssMiB, fds });
    const cells = [now, perSecond, p50Ms, p99Ms, failed, rssMiB, pssMiB, fds, processes].map(shown);
    say(`| ${cells.join(' | ')} |`);
    if (firstFailure !== undefined) say(`failed: ${firstFailure}`);
  }
  return windows;
}
