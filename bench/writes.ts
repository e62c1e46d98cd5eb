/**
 * What a durable write costs, in lines that BENCH_LINES chooses, beside better-sqlite3 in a loop in the same run. A line that cannot be run ends the
 * bench with 1; no figure does. From the environment too: BENCH_SECONDS, BENCH_ROUNDS, BENCH_WRITABLE (segments of `many-writable`,
 * default 10,000), BENCH_REPLAY (inserts that `open` replays, 50,000).
 */
import { manyWritable } from './writes/many-writable.ts';
import { handOvers } from './writes/hand-overs.ts';
import { writeLoad, type WriteLoad } from './writes/loads.ts';
import { promotion } from './writes/promotion.ts';
import { noSlowDisk } from './writes/slow-disk.ts';
import { conditions } from './support/conditions.ts';
import { isChosen, planFrom, positive } from './support/plan.ts';
import { Rounds } from './support/rounds.ts';
import { say } from './support/say.ts';
import { type Record } from './support/stage.ts';

interface WriteLine {
  readonly name: string;
  /** Why it cannot be run on this machine. */
  readonly missing?: (() => string | undefined) | undefined;
  readonly run: (record: Record) => Promise<void>;
}

const plan = planFrom(process.env);
const lines: readonly WriteLine[] = [
  loadLine('one', { connections: 1, segments: 1 }),
  loadLine('same-64', { connections: 64, segments: 1 }),
  loadLine('spread-64', { connections: 64, segments: 64 }),
  loadLine('replicated-64', { connections: 64, segments: 1, cluster: true }),
  loadLine('slow-one', { connections: 1, segments: 1, slowDisk: true }),
  loadLine('slow-same-64', { connections: 64, segments: 1, slowDisk: true }),
  loadLine('slow-spread-64', { connections: 64, segments: 64, slowDisk: true }),
  {
    name: 'many-writable',
    run: (record) => manyWritable(positive(process.env, 'BENCH_WRITABLE', 10_000), plan.seconds, record),
  },
  { name: 'open', run: (record) => handOvers(positive(process.env, 'BENCH_REPLAY', 50_000), record) },
  { name: 'promote', run: promotion },
];

for (const line of conditions(plan).slice(0, 2)) say(line);
say(
  'B, W: better-sqlite3 in a loop, one insert of 300 bytes to a transaction, synchronous FULL, journal DELETE and WAL. x: trough divided by it',
);
const rounds = new Rounds(plan);
for (const { name, missing, run } of lines.filter((line) => isChosen(line.name, plan))) {
  const why = missing?.();
  if (why === undefined) await rounds.run(name, run);
  else say(`${name}: skipped, ${why}`);
}
process.exitCode = rounds.end();

function loadLine(name: string, load: WriteLoad): WriteLine {
  return {
    name,
    missing: load.slowDisk === true ? noSlowDisk : undefined,
    run: (record) => writeLoad(load, plan.seconds, record),
  };
}
