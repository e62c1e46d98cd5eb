import { setTimeout } from 'node:timers/promises';
import { pointRead, segmentAt } from '../support/dataset.ts';
import { DeathWatch, LOOK_EVERY_MS } from '../support/death-watch.ts';
import { httpLoad, type LoadResult, post } from '../support/http-load.ts';
import { below } from '../support/random.ts';
import { median } from '../support/samples.ts';
import { type Line, readUrl, type Record, type Stage } from '../support/stage.ts';
import { usageOf } from '../support/usage.ts';

const ENDLESS = 'with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) n from c';
const CONNECTIONS = 64;
const DEADLINE_MS = 1_000;
const GRACE_MS = 150;
const WATCH_MS = 500;

interface EndlessOptions {
  readonly inFlight: number;
  /** The segment that a query without end is for, by the number of its asker. */
  readonly segmentOf: (asker: number) => number;
}

/**
 * Point reads over all segments of the stage while so many queries without end are in flight, each sent again when its deadline has ended it:
 * the same one, which an engine may remember, or (`anew`) one for a segment at random.
 */
export const endlessLines: readonly Line[] = [
  ...[1, 4].map((inFlight) =>
    endlessLine(`endless-${String(inFlight)}`, () => ({ inFlight, segmentOf: (asker) => asker })),
  ),
  endlessLine('endless-anew-4', ({ set }) => ({ inFlight: 4, segmentOf: () => below(set.count) })),
];

function endlessLine(name: string, optionsFor: (stage: Stage) => EndlessOptions): Line {
  return { name, run: (stage, record) => beside(stage, optionsFor(stage), record) };
}

async function beside(stage: Stage, { inFlight, segmentOf }: EndlessOptions, record: Record): Promise<void> {
  const quiet = await load(stage);
  if (quiet.failed > 0) throw new Error(`${String(quiet.failed)} requests failed: ${quiet.firstFailure ?? ''}`);
  const deaths = new DeathWatch(stage.node.pid);
  await deaths.start();
  const stop = new AbortController();
  const endless = Array.from({ length: inFlight }, (_, asker) =>
    askAgainAndAgain(stage, () => segmentOf(asker), stop.signal),
  );
  const busy = await load(stage);
  stop.abort();
  const ends = (await Promise.all(endless)).flat();
  const died = deaths.stop();
  if (ends.length === 0) throw new Error('no endless query reached its deadline: BENCH_SECONDS is too small');
  record('answers/s without', 'trough', quiet.perSecond);
  record('answers/s', 'trough', busy.perSecond);
  record('rate left, %', 'trough', (100 * busy.perSecond) / quiet.perSecond);
  record('p99 ms without', 'trough', quiet.p99Ms);
  record('p99 ms', 'trough', busy.p99Ms);
  record('failed', 'trough', busy.failed);
  record(
    'answer after deadline, ms',
    'trough',
    median(ends.map(({ answeredAt, deadlineAt }) => answeredAt - deadlineAt)),
  );
  record('cores busy after the last deadline', 'trough', await coresBusy(stage.node.pid));
  // With several in flight it cannot be told which death belongs to which query.
  if (inFlight > 1) return;
  const late = ends.flatMap((end) => deathAfter(end, died));
  if (late.length > 0) record('process dead after deadline, ms', 'trough', median(late));
}

/** The ms from its deadline to the death of a process; none when it was waiting then, so that nothing had to die. */
function deathAfter({ deadlineAt }: End, died: readonly number[]): readonly number[] {
  const after = died.find((at) => at >= deadlineAt - LOOK_EVERY_MS && at < deadlineAt + DEADLINE_MS);
  return after === undefined ? [] : [after - deadlineAt];
}

/** When nobody asks for anything any more: whatever is busy now was not ended. */
async function coresBusy(pid: number): Promise<number> {
  await setTimeout(GRACE_MS);
  const before = await usageOf(pid);
  await setTimeout(WATCH_MS);
  const after = await usageOf(pid);
  return Math.max(0, after.cpuSeconds - before.cpuSeconds) / (WATCH_MS / 1_000);
}

function load(stage: Stage): Promise<LoadResult> {
  // Long enough for some deadlines to pass.
  const seconds = Math.max(stage.plan.seconds, (2 * DEADLINE_MS) / 1_000);
  const request = (): Buffer => post(`/?segment=${segmentAt(below(stage.set.count))}`, pointRead());
  return httpLoad({ url: readUrl(stage), connections: CONNECTIONS, seconds, warmUpSeconds: 0.5, request });
}

interface End {
  readonly deadlineAt: number;
  readonly answeredAt: number;
}

async function askAgainAndAgain(stage: Stage, segment: () => number, stop: AbortSignal): Promise<readonly End[]> {
  const ends: End[] = [];
  while (!stop.aborted) {
    const url = new URL(`/v1/segments/${segmentAt(segment())}/query`, readUrl(stage));
    const deadlineAt = performance.now() + DEADLINE_MS;
    const body = JSON.stringify({ sql: ENDLESS, deadlineMs: DEADLINE_MS });
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const text = await answer.text();
    if (answer.status === 200) throw new Error(`the endless query was answered: ${text}`);
    // One that found no place is not one that ran to its deadline.
    if (answer.status === 504) ends.push({ deadlineAt, answeredAt: performance.now() });
    else await setTimeout(LOOK_EVERY_MS);
  }
  return ends;
}
