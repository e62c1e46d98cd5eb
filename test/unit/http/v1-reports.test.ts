import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import {
  type QueryReports,
  SegmentStatsAnswer,
  SlowQueriesAnswer,
  type SlowQuery,
} from '../../../src/messages/query-reports.ts';
import { ask, fakeReports, noChanges, log, serve } from './fixture.ts';

const SLOW: SlowQuery = {
  segment: 's 1',
  endedMs: 1_700_000_000_000,
  sql: 'select "é"',
  cut: false,
  queueMs: null,
  openMs: null,
  firstMs: null,
  totalMs: 60_000,
  rows: 0,
  bytes: 0,
  outcome: 'ENGINE_DEADLINE',
};
const STATS: SegmentStatsAnswer = {
  segment: 's 1',
  node: 'n1',
  sinceMs: 1,
  lastMs: 2,
  queries: 3,
  errors: { ENGINE_DEADLINE: 1 },
  rows: 4,
  bytes: 5,
  latency: { queries: 3, p50Ms: 0.5, p95Ms: 1, p99Ms: 60_000 },
  running: 1,
  waiting: 2,
  served: { version: '42', sizeBytes: 8_192 },
  slowMs: 1_000,
  slow: [SLOW],
};

function reporting(reports: Partial<QueryReports>): ReturnType<typeof serve> {
  const read = (): Promise<never> => Promise.reject(new TroughError('INTERNAL', 'this read was not expected'));
  return serve(readRoutes({ read, reports: fakeReports(reports), changes: noChanges, log }));
}

describe('GET /v1/segments/ID/stats', () => {
  it.each([
    ['', false],
    ['?plan=0', false],
    ['?plan=false', false],
    ['?plan=1', true],
    ['?plan=true', true],
  ])('answers what the node knows of the segment: %s', async (search, plan) => {
    const asked: unknown[] = [];
    await using server = await reporting({
      segment: (...args) => {
        asked.push(args.slice(0, 2));
        return Promise.resolve(STATS);
      },
    });
    const got = await ask(server, `/v1/segments/s%201/stats${search}`, { method: 'GET' });
    expect([got.status, got.headers['content-type']]).toEqual([200, 'application/json']);
    expect(SegmentStatsAnswer.parse(JSON.parse(got.body))).toEqual(STATS);
    expect(asked).toEqual([['s 1', { plan }]]);
  });

  it('answers 404 for an unknown segment, 400 for what cannot be one and for another value of plan', async () => {
    await using server = await reporting({
      segment: () => Promise.reject(new TroughError('SEGMENT_UNKNOWN', "there is no segment 's'")),
    });
    const status = async (path: string): Promise<unknown> => {
      const got = await ask(server, path, { method: 'GET' });
      return [got.status, got.headers['trough-error']];
    };
    expect(await status('/v1/segments/s/stats')).toEqual([404, 'SEGMENT_UNKNOWN']);
    expect(await status('/v1/segments/..%2Fs/stats')).toEqual([400, 'SEGMENT_ID_INVALID']);
    expect(await status('/v1/segments/s/stats?plan=yes')).toEqual([400, 'REQUEST_INVALID']);
    expect(await status('/v1/segments/s/stats?other=1')).toEqual([400, 'REQUEST_INVALID']);
  });

  it('takes no other method', async () => {
    await using server = await reporting({});
    const got = await ask(server, '/v1/segments/s/stats', { method: 'POST' });
    expect([got.status, got.headers.allow]).toEqual([405, 'GET, HEAD']);
  });
});

describe('GET /v1/queries/slow', () => {
  it('answers the slow queries of the node', async () => {
    const answer: SlowQueriesAnswer = { node: 'n1', slowMs: 1_000, recent: [SLOW], slowest: [SLOW] };
    await using server = await reporting({ slow: () => answer });
    const got = await ask(server, '/v1/queries/slow', { method: 'GET' });
    expect(got.status).toBe(200);
    expect(SlowQueriesAnswer.parse(JSON.parse(got.body))).toEqual(answer);
  });
});
