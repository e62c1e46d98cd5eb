import { expect, test } from 'vitest';
import { SegmentStatsAnswer, SlowQueriesAnswer } from '../../src/messages/query-reports.ts';
import { promote, provision, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { httpCall } from '../support/http-call.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, type TroughRun, verb } from '../support/trough-process.ts';

const ENDLESS = 'with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c';
/** Some seconds of counting: slow on any machine, by a threshold of 100 ms. */
const SLOW =
  'with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000000) select count(*), :a from c, t where t.a = :a';

interface Query {
  readonly sql: string;
  readonly params?: unknown;
  readonly deadlineMs?: number;
}

async function query({ ready }: TroughRun, segment: string, body: Query): Promise<{ status: number; bytes: number }> {
  const { status, text } = await httpCall(ready.urls.read, `v1/segments/${segment}/query`, { json: body });
  return { status, bytes: text.length };
}

async function stats({ ready }: TroughRun, segment: string, search = ''): Promise<SegmentStatsAnswer> {
  const answer = await httpCall(ready.urls.read, `v1/segments/${segment}/stats${search}`);
  return SegmentStatsAnswer.parse(JSON.parse(answer.text));
}

/** The samples of `/metrics`: `name{labels}` → value. */
async function metrics({ ready }: TroughRun): Promise<Map<string, number>> {
  const { text } = await httpCall(ready.urls.read, 'metrics');
  const samples = text.split('\n').filter((line) => line.startsWith('trough_'));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

async function aNodeWithQueries(data: string): Promise<TroughRun & AsyncDisposable> {
  const node = await trough({ data, args: ['--slow-query', '100ms'] });
  const { writeUrl } = await provision(node, 's');
  await writeTo(writeUrl, 'create table t (a integer primary key, b); insert into t values (1, 10), (2, 20), (3, 30)');
  await provision(node, 'idle');
  for (let turn = 0; turn < 5; turn += 1)
    expect(await query(node, 's', { sql: 'select a, b from t' })).toMatchObject({ status: 200 });
  expect(await query(node, 's', { sql: SLOW, params: { a: 2 } })).toMatchObject({ status: 200 });
  expect(await query(node, 's', { sql: 'select nothing from t' })).toMatchObject({ status: 400 });
  expect(await query(node, 's', { sql: ENDLESS, deadlineMs: 300 })).toMatchObject({ status: 504 });
  return node;
}

test('what queries took and gave is told: in /metrics, for each segment, as slow queries, in the log and on the command line', async () => {
  await using dir = await tempDir();
  await using node = await aNodeWithQueries(dir.path);

  const seen = await eventually('the killed process is counted', async () => {
    const samples = await metrics(node);
    return [...samples].some(([name, value]) => name.startsWith('trough_engine_kills_total') && value > 0) && samples;
  });
  const expected = {
    'trough_query_seconds_count{outcome="ok"}': 6,
    'trough_query_seconds_bucket{le="+Inf",outcome="ok"}': 6,
    'trough_query_seconds_count{outcome="input"}': 1,
    'trough_query_seconds_count{outcome="late"}': 1,
    'trough_query_seconds_bucket{le="0.1",outcome="late"}': 0,
    'trough_query_first_row_seconds_count{outcome="ok"}': 6,
    'trough_query_open_seconds_count{outcome="ok"}': 6,
    'trough_query_queue_seconds_count{outcome="late"}': 1,
    'trough_query_errors_total{code="ENGINE_DEADLINE"}': 1,
    'trough_query_errors_total{code="SQL_INVALID"}': 1,
    trough_query_rows_total: 16,
    trough_queries_running: 0,
    trough_queries_waiting: 0,
  };
  for (const [name, value] of Object.entries(expected)) expect([name, seen.get(name)]).toEqual([name, value]);
  for (const name of ['trough_query_bytes_total', 'trough_engine_children', 'trough_slow_queries_total'])
    expect([name, (seen.get(name) ?? 0) > 0]).toEqual([name, true]);

  const { slow, latency, ...figures } = await stats(node, 's');
  expect(figures).toMatchObject({
    segment: 's',
    node: 'n1',
    queries: 8,
    errors: { ENGINE_DEADLINE: 1, SQL_INVALID: 1 },
    rows: 16,
    served: { version: 'live-1', sizeBytes: null },
    slowMs: 100,
  });
  expect(latency).toMatchObject({ queries: 8 });
  expect(latency.p99Ms).toBeGreaterThan(295);
  expect(slow.map(({ sql, outcome }) => [sql, outcome])).toEqual(
    expect.arrayContaining([
      [SLOW, 'ok'],
      [ENDLESS, 'ENGINE_DEADLINE'],
    ]),
  );

  const lines = node
    .log()
    .split('\n')
    .filter((line) => line.includes('"slow query"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ level: 40, segment: 's', sql: SLOW, outcome: 'ok', rows: 1, node: 'n1' }),
      expect.objectContaining({ segment: 's', sql: ENDLESS, outcome: 'ENGINE_DEADLINE', firstMs: null }),
    ]),
  );

  const { recent, slowest } = SlowQueriesAnswer.parse(
    JSON.parse((await httpCall(node.ready.urls.read, 'v1/queries/slow')).text),
  );
  expect(recent.map(({ sql }) => sql)).toEqual(expect.arrayContaining([SLOW, ENDLESS]));
  expect(slowest.map(({ totalMs }) => totalMs)).toEqual(recent.map(({ totalMs }) => totalMs).sort((a, b) => b - a));

  const printed = await verb(['stats', 's'], { env: clientEnv(node) });
  expect(printed).toMatchObject({ code: 0, stderr: '' });
  expect(printed.stdout).toMatch(/^s on node n1: version live-1; counted since .*\n(.*\n)*errors: .*ENGINE_DEADLINE 1/);
});

test('the plan of a slow query is asked of SQLite on demand; other segments have zeros, unknown ones do not exist', async () => {
  await using dir = await tempDir();
  await using node = await aNodeWithQueries(dir.path);

  const { slow } = await stats(node, 's', '?plan=1');
  const plan = slow.find(({ sql }) => sql === SLOW)?.plan ?? [];
  expect(plan.join('\n')).toMatch(/SEARCH t USING INTEGER PRIMARY KEY \(rowid=\?\)/);
  expect(plan.some((step) => step.startsWith('  '))).toBe(true);

  expect(await stats(node, 'idle')).toMatchObject({ node: 'n1', queries: 0, sinceMs: null, errors: {}, slow: [] });
  const unknown = await httpCall(node.ready.urls.read, 'v1/segments/nobody/stats');
  expect([unknown.status, unknown.code]).toEqual([404, 'SEGMENT_UNKNOWN']);

  const { version } = await promote(node, 's');
  const release = await httpCall(node.ready.urls.syncMaster, 'v1/segments/s/release', { method: 'POST' });
  expect(release.status).toBe(200);
  await eventually('the copy is served', async () => (await stats(node, 's')).served?.version === String(version));
  expect((await stats(node, 's')).served?.sizeBytes).toBeGreaterThan(0);
});
