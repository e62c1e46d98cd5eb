import { expect, test } from 'vitest';
import {
  type SegmentStatsAnswer,
  type SlowQueriesAnswer,
  type SlowQuery,
} from '../../../src/messages/query-reports.ts';
import { cli, type CliRun } from './cli-harness.ts';
import { FakeTrough } from './fake-trough.ts';

const SLOW: SlowQuery = {
  segment: 's',
  endedMs: 1_700_000_000_000,
  sql: 'select a\nfrom t',
  cut: false,
  queueMs: 0.25,
  openMs: null,
  firstMs: null,
  totalMs: 60_000,
  rows: 0,
  bytes: 0,
  outcome: 'ENGINE_DEADLINE',
};
const STATS: SegmentStatsAnswer = {
  segment: 's',
  node: 'n1',
  sinceMs: 1_700_000_000_000,
  lastMs: 1_700_000_000_000,
  queries: 3,
  errors: { ENGINE_DEADLINE: 1, SQL_FAILED: 1 },
  rows: 40,
  bytes: 500,
  latency: { queries: 3, p50Ms: 0.5, p95Ms: 1, p99Ms: 60_000 },
  running: 1,
  waiting: 2,
  served: { version: '42', sizeBytes: 8_192 },
  slowMs: 1_000,
  slow: [{ ...SLOW, plan: ['SCAN t', '  STEP'] }],
};
const NONE: SegmentStatsAnswer = {
  ...STATS,
  ...{ sinceMs: null, lastMs: null, queries: 0, errors: {}, rows: 0, bytes: 0, running: 0, waiting: 0, served: null },
  latency: { queries: 0, p50Ms: null, p95Ms: null, p99Ms: null },
  slow: [],
};

async function run(answer: object, ...args: string[]): Promise<CliRun & { readonly url: string }> {
  await using fake = await FakeTrough.start();
  let url = '';
  fake.answer = (request, response) => {
    url = request.url ?? '';
    response.end(JSON.stringify(answer));
    return true;
  };
  return { ...(await cli(['stats', ...args], { env: fake.env })), url };
}

test('the figures of a segment, its slow queries and their plans are printed as tables', async () => {
  const { code, out, url } = await run(STATS, 's', '--plan');
  expect([code, url]).toEqual([0, '/v1/segments/s/stats?plan=1']);
  expect(out.split('\n')).toEqual([
    's on node n1: version 42, 8.19 kB; counted since 2023-11-14 22:13:20',
    '',
    'queries  errors  rows  bytes  p50 ms  p95 ms  p99 ms  running  waiting',
    '      3       2    40    500     0.5       1   60000        1        2',
    'errors: ENGINE_DEADLINE 1, SQL_FAILED 1',
    '',
    'slow queries: 1s or more, or killed, newest first:',
    'ended                total ms  queue ms  open ms  first ms  rows  bytes  outcome          sql',
    '2023-11-14 22:13:20     60000      0.25  -        -            0      0  ENGINE_DEADLINE  select a\\nfrom t',
    '',
    'sql               plan',
    'select a\\nfrom t  SCAN t',
    '                    STEP',
    '',
  ]);
});

test('a segment that was not queried has zeros, and no table of slow queries', async () => {
  const { code, out, url } = await run(NONE, 's');
  expect([code, url]).toEqual([0, '/v1/segments/s/stats']);
  expect(out).toMatch(/^s on node n1: no file of it here; no query was counted here\n/);
  expect(out).not.toMatch(/slow/);
});

test('without a segment the slow queries of the node are printed', async () => {
  const answer: SlowQueriesAnswer = { node: 'n1', slowMs: 1_000, recent: [SLOW], slowest: [SLOW] };
  const { code, out, url } = await run(answer);
  expect([code, url]).toEqual([0, '/v1/queries/slow']);
  expect(out).toMatch(/on node n1, newest first:\n.*outcome +segment +sql\n.*\n\nslowest of the last hour:\n/);
  const none = await run({ ...answer, recent: [], slowest: [] });
  expect(none.out).toMatch(/^node n1 has had no slow query/);
});

test('--json hands on the answer', async () => {
  const { out } = await run(STATS, 's', '--json');
  expect(JSON.parse(out)).toEqual(STATS);
});
