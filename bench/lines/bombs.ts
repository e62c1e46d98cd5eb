import { setTimeout } from 'node:timers/promises';
import { pointRead, segmentAt } from '../support/dataset.ts';
import { httpLoad, type LoadResult, post } from '../support/http-load.ts';
import { below } from '../support/random.ts';
import { type Line, readUrl, type Record, type Stage } from '../support/stage.ts';

const CONNECTIONS = 16;
const DEADLINE_MS = 5_000;
/** The segment of the bombs; the load asks the others. */
const BOMBED = 0;
const PAUSE_MS = 5;

const COUNT = 'with recursive c(x) as (select 1 union all select x + 1 from c';
const TEXTS = `${COUNT} where x < 3000) select printf('%01000d', x) as t from c`;

/** What people do to a database without meaning to. All but the first need much memory or disk as well. */
const BOMBS: readonly (readonly [name: string, sql: string])[] = [
  ['endless', `${COUNT}) select count(*) n from c`],
  ['join', `select length(group_concat(a.t || b.t)) n from (${TEXTS}) a, (${TEXTS}) b`],
  [
    'sort',
    `select count(*) n from (select t from (${COUNT} where x < 5000000) select x as t from c) order by t desc limit -1 offset 1)`,
  ],
  ['zeroblob', `select length(hex(zeroblob(200000000)) || hex(zeroblob(200000000)) || hex(zeroblob(200000000))) n`],
  ['replace', `select length(replace(hex(zeroblob(2000000)), '0', hex(zeroblob(150)))) n`],
];

/** Point reads while one bomb is in flight, sent again as soon as it has ended, whichever way; beside the same reads without it. */
export const bombLines: readonly Line[] = BOMBS.map(([name, sql]) => ({
  name: `bombs-${name}`,
  run: (stage, record) => beside(stage, sql, record),
}));

async function beside(stage: Stage, sql: string, record: Record): Promise<void> {
  const quiet = await load(stage);
  const stop = new AbortController();
  const bombing = askAgainAndAgain(stage, sql, stop.signal);
  const busy = await load(stage);
  stop.abort();
  const asked = await bombing;
  for (const { failed, firstFailure } of [quiet, busy])
    if (failed > 0) throw new Error(`${String(failed)} requests failed: ${firstFailure ?? ''}`);
  if (asked === 0) throw new Error('the bomb was never tried');
  record('answers/s without', 'trough', quiet.perSecond);
  record('answers/s', 'trough', busy.perSecond);
  record('p99 ms without', 'trough', quiet.p99Ms);
  record('p99 ms', 'trough', busy.p99Ms);
  record('p99, times that without', 'trough', busy.p99Ms / quiet.p99Ms);
  record('bombs', 'trough', asked);
}

function load(stage: Stage): Promise<LoadResult> {
  const request = (): Buffer => post(`/?segment=${segmentAt(BOMBED + 1 + below(stage.set.count - 1))}`, pointRead());
  const seconds = Math.max(stage.plan.seconds, DEADLINE_MS / 1_000);
  return httpLoad({ url: readUrl(stage), connections: CONNECTIONS, seconds, warmUpSeconds: 0.5, request });
}

/** How many were answered or ended. */
async function askAgainAndAgain(stage: Stage, sql: string, stop: AbortSignal): Promise<number> {
  const url = new URL(`/v1/segments/${segmentAt(BOMBED)}/query`, readUrl(stage));
  const body = JSON.stringify({ sql, deadlineMs: DEADLINE_MS });
  let asked = 0;
  while (!stop.aborted) {
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const text = await answer.text();
    // Answered, over its deadline, or more than the memory: whatever else it is, it is no bomb.
    if (![200, 413, 504].includes(answer.status)) throw new Error(text);
    asked += 1;
    await setTimeout(PAUSE_MS);
  }
  return asked;
}
