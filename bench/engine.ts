/**
 * What a query costs: one node beside its baselines, in one run on one machine. A line that cannot be run ends the bench with 1; no figure does.
 * From the environment: BENCH_LINES (names or their beginnings: points,rows-1000,many), BENCH_SECONDS, BENCH_ROUNDS, BENCH_MANY, BENCH_HUGE,
 * BENCH_STREAM_ROWS, BENCH_IDLE_SECONDS, BENCH_KEEP_IN (a directory: segments are made once and kept), BENCH_TROUGH_ARGS (flags of the node).
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bombLines } from './lines/bombs.ts';
import { endlessLines } from './lines/endless.ts';
import { IDLE, idle } from './lines/idle.ts';
import { loadLines } from './lines/loads.ts';
import { manyLine } from './lines/many.ts';
import { natsLines } from './lines/nats.ts';
import { streamLine } from './lines/stream.ts';
import { compareAnswers } from './support/answers.ts';
import { conditions } from './support/conditions.ts';
import { dataset } from './support/dataset.ts';
import { isChosen, type Plan, planFrom } from './support/plan.ts';
import { Rounds } from './support/rounds.ts';
import { say } from './support/say.ts';
import { type Line, openStage, readUrl } from './support/stage.ts';

const FEW = 64;
const BASELINES = [
  'L0: better-sqlite3 in a loop in one process. L1: node:http and better-sqlite3 in one process, without isolation.',
  'echo: a NATS service that answers as many bytes at once. x: trough divided by the baseline',
];

const plan = planFrom(process.env);
const rounds = new Rounds(plan);
const stages: readonly { readonly segments: number; readonly lines: readonly Line[] }[] = [
  { segments: FEW, lines: [...loadLines, ...endlessLines, ...bombLines, ...natsLines, streamLine] },
  { segments: plan.many, lines: [manyLine('many')] },
  { segments: plan.huge, lines: [manyLine('huge')] },
];

for (const line of [...conditions(plan), ...BASELINES]) say(line);
say(
  `medians of ${String(plan.rounds)} round(s) of ${String(plan.seconds)} s; spread: highest less lowest, as a share of the median`,
);
const directory = plan.keepIn ?? (await mkdtemp(join(tmpdir(), 'trough-bench-')));
try {
  await mkdir(directory, { recursive: true });
  if (isChosen(IDLE, plan)) await runIdle(plan);
  for (const { segments, lines } of stages) {
    await runStage(
      segments,
      lines.filter(({ name }) => isChosen(name, plan)),
    );
  }
} finally {
  if (plan.keepIn === undefined) await rm(directory, { recursive: true, force: true });
}
process.exitCode = rounds.end();

async function runIdle(of: Plan): Promise<void> {
  const set = await dataset(directory, FEW);
  await rounds.run(IDLE, (record) => idle(of, set, record));
}

async function runStage(segments: number, lines: readonly Line[]): Promise<void> {
  if (lines.length === 0) return;
  say(`\n${segments.toLocaleString('en-US')} segments`);
  try {
    await using stage = await openStage(plan, directory, segments);
    await compareAnswers([stage.plain.url, readUrl(stage)], segments);
    for (const line of lines) await rounds.run(line.name, (record) => line.run(stage, record));
  } catch (error) {
    rounds.failed(lines.map(({ name }) => name).join(', '), error);
  }
}
