import { contentSql, segmentAt, AGGREGATE, ALL_ROWS, pointRead } from '../support/dataset.ts';
import { rowsOf } from '../support/answers.ts';
import { httpLoad, type LoadResult, post } from '../support/http-load.ts';
import { inProcess } from '../support/in-process.ts';
import { below } from '../support/random.ts';
import { type Line, readUrl, type Record, type Stage } from '../support/stage.ts';
import { type System } from '../support/samples.ts';

const CONNECTIONS = 16;
const LIVE = 'live';

interface LoadOptions {
  readonly connections: number;
  readonly sql: () => string;
  /** Of the stage's segments, how many are asked, at random. Default: one. */
  readonly segments?: number;
}

/** Reads of one segment beside both baselines. */
export const loadLines: readonly Line[] = [
  ...[1, 64, 256].map((connections) =>
    loadLine(`points-${String(connections)}`, () => ({ connections, sql: pointRead })),
  ),
  { name: 'points-live-64', run: live },
  loadLine('rows-1000', () => ({ connections: CONNECTIONS, sql: () => ALL_ROWS })),
  loadLine('aggregates', () => ({ connections: CONNECTIONS, sql: () => AGGREGATE })),
];

export function loadLine(name: string, optionsFor: (stage: Stage) => LoadOptions): Line {
  return {
    name,
    run: async (stage, record) => {
      const { connections, sql, segments = 1 } = optionsFor(stage);
      const { seconds } = stage.plan;
      record('answers/s', 'L0', inProcess(stage.set, segments, sql, seconds));
      const request = (): Buffer => post(`/?segment=${segmentAt(below(segments))}`, sql());
      for (const [system, url] of [
        ['L1', stage.plain.url],
        ['trough', readUrl(stage)],
      ] as const) {
        recordLoad(record, system, await httpLoad({ url, connections, seconds, warmUpSeconds: seconds / 4, request }));
      }
    },
  };
}

/** Throws when any request failed: the figures would be those of something else. */
function recordLoad(record: Record, system: System, load: LoadResult): void {
  if (load.failed > 0)
    throw new Error(`${String(load.failed)} requests to ${system} failed: ${load.firstFailure ?? ''}`);
  if (!(load.perSecond > 0)) throw new Error(`no answer from ${system}`);
  record('answers/s', system, load.perSecond);
  record('p50 ms', system, load.p50Ms);
  record('p99 ms', system, load.p99Ms);
}

/** The same reads of a segment that is open for writing on this node: the lease counts, and the file is in WAL mode. */
async function live(stage: Stage, record: Record): Promise<void> {
  const { seconds } = stage.plan;
  await makeLive(stage);
  const request = (): Buffer => post(`/?segment=${LIVE}`, pointRead());
  const load = { connections: 64, seconds, warmUpSeconds: seconds / 4, request };
  recordLoad(record, 'trough', await httpLoad({ ...load, url: readUrl(stage) }));
}

async function makeLive(stage: Stage): Promise<void> {
  const { write = '', syncMaster = '' } = stage.node.ready.urls;
  const provisioned = await fetch(new URL('/provision', syncMaster), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ segment: LIVE }),
  });
  if (!provisioned.ok) throw new Error(`provision: ${await provisioned.text()}`);
  const [there] = await rowsOf(readUrl(stage), LIVE, "select count(*) n from sqlite_schema where name = 't'");
  if (there !== undefined && 'n' in there && there.n === 1) return;
  const written = await fetch(`${write}?segment=${LIVE}`, { method: 'POST', body: contentSql() });
  if (!written.ok) throw new Error(`write: ${await written.text()}`);
}
