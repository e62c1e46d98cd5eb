import { expect, test } from 'vitest';
import { QueryObserver } from '../../../../src/actors/queries/query-observer.ts';
import { SegmentReports } from '../../../../src/actors/queries/segment-reports.ts';
import { type QueryRecord } from '../../../../src/engine/engine.ts';
import { TroughError } from '../../../../src/errors.ts';
import { silentLog } from '../../../../src/log.ts';
import { type LocalCopy } from '../../../../src/messages/local-files.ts';
import { type SegmentStatsAnswer } from '../../../../src/messages/query-reports.ts';
import { type ReadRequest } from '../../../../src/messages/reading.ts';
import { parseSegmentId } from '../../../../src/model/segment-id.ts';
import { FakeCluster } from '../../../support/fake-cluster.ts';
import { FakeColdStore } from '../../../support/fake-cold-store.ts';
import { FakeDisk } from '../../../support/fake-disk.ts';

const id = parseSegmentId('s');

function scene() {
  const cluster = new FakeCluster();
  const cold = new FakeColdStore(new FakeDisk(), () => cluster.clock.now());
  const queries = new QueryObserver({ clock: cluster.clock, log: silentLog, slowMs: 1_000 });
  const files: Partial<Record<'hot' | 'copy' | 'fetched', true>> = {};
  const asked: ReadRequest[] = [];
  const rows = { text: '' };
  const copy = (version: number): LocalCopy => ({ file: 'f', version, sizeBytes: 8_192 });
  const reports = new SegmentReports({
    node: 'n1',
    queries,
    load: (segment) => (segment === id ? { running: 2, waiting: 3 } : { running: 0, waiting: 0 }),
    view: cluster.view,
    hot: {
      hotFile: () => (files.hot === true ? { file: 'f', epoch: 4, assertCurrent: () => Promise.resolve() } : undefined),
    },
    copies: { copy: () => (files.copy === true ? copy(7) : undefined) },
    fetched: { copy: () => (files.fetched === true ? copy(6) : undefined) },
    cold,
    read: (request) => {
      asked.push(request);
      if (request.sql.includes('nothing')) return Promise.reject(new TroughError('SQL_INVALID', 'no such column'));
      const summary = { rows: 1, truncated: false };
      const body = Buffer.from(rows.text);
      return Promise.resolve({ node: 'n1', version: '7', columns: [], body, summary: () => summary });
    },
  });
  const stats = (plan = false): Promise<SegmentStatsAnswer> =>
    reports.segment(id, { plan }, new AbortController().signal);
  const ran = (more: Partial<QueryRecord> = {}): void => {
    queries.add({ segment: id, sql: 'select 1', startedMs: 1, totalMs: 5, rows: 2, bytes: 10, ...more });
  };
  return { cluster, cold, files, asked, rows, reports, stats, ran };
}

test('a segment that is known and was never queried has zeros, one that is not known is refused', async () => {
  const { stats, cold } = scene();
  await expect(stats()).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  cold.put(id, 'x');
  expect(await stats()).toEqual({
    segment: 's',
    node: 'n1',
    sinceMs: null,
    lastMs: null,
    queries: 0,
    errors: {},
    rows: 0,
    bytes: 0,
    latency: { queries: 0, p50Ms: null, p95Ms: null, p99Ms: null },
    running: 2,
    waiting: 3,
    served: null,
    slowMs: 1_000,
    slow: [],
  });
});

test('it says what file is served: the one that is written, else the copy, else what was fetched', async () => {
  const { stats, files } = scene();
  files.fetched = true;
  files.copy = true;
  expect((await stats()).served).toEqual({ version: '7', sizeBytes: 8_192 });
  files.hot = true;
  expect((await stats()).served).toEqual({ version: 'live-4', sizeBytes: null });
  delete files.hot;
  delete files.copy;
  await expect(stats()).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
});

test('a lease says whether there is such a segment; cold storage is asked only when nothing here knows', async () => {
  const { stats, cluster, cold, ran } = scene();
  cold.gate.failNext('stat', new TroughError('COLD_FAILED', 'away'));
  await expect(stats()).rejects.toMatchObject({ code: 'COLD_FAILED' });
  ran();
  expect((await stats()).queries).toBe(1);
  await cluster.lease(id, { state: 'shredded' });
  await expect(stats()).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
  await cluster.lease(id, { state: 'released', version: 7 });
  expect(await stats()).toMatchObject({ node: 'n1', queries: 1, rows: 2 });
});

test('plans are asked as a read would be, with NULL for parameters, and shown as a tree', async () => {
  const { stats, ran, asked, rows } = scene();
  rows.text = '[3,0,0,"MERGE (UNION)"],\n[5,3,0,"LEFT"],\n[9,5,62,"SCAN t"],\n[20,3,0,"RIGHT"],\n[25,0,0,"LAST"]';
  ran({ totalMs: 1_500, sql: 'select ?, :name, :name from t' });
  expect((await stats()).slow).toEqual([expect.not.objectContaining({ plan: expect.anything() as unknown })]);
  expect(asked).toEqual([]);
  const { slow } = await stats(true);
  expect(slow).toMatchObject([{ plan: ['MERGE (UNION)', '  LEFT', '    SCAN t', '  RIGHT', 'LAST'] }]);
  expect(asked).toMatchObject([
    {
      segment: 's',
      sql: 'EXPLAIN QUERY PLAN select ?, :name, :name from t',
      params: [null, null],
      consistency: 'any',
      deadlineMs: 5_000,
    },
  ]);
});

test('the plan is that of the text that runs: without parentheses around the query, and without what stands behind it', async () => {
  const { stats, ran, rows, asked } = scene();
  rows.text = '[1,0,0,"SCAN t"]';
  ran({ sql: ' /* all */ ( (select a from t where b = ?) ) ; -- done', totalMs: 2_000 });
  expect((await stats(true)).slow).toMatchObject([{ plan: ['SCAN t'] }]);
  expect(asked).toMatchObject([{ sql: 'EXPLAIN QUERY PLAN select a from t where b = ?', params: [null] }]);
});

test('a query without a plan says why, beside those that have one', async () => {
  const { stats, ran, rows } = scene();
  rows.text = '[3,0,0,"SCAN t"]';
  ran({ totalMs: 1_500, sql: 'select nothing' });
  ran({ totalMs: 1_500, sql: `select ${'1'.repeat(3_000)}` });
  ran({ totalMs: 1_500, sql: 'select 1' });
  const { slow } = await stats(true);
  expect(slow.map(({ plan, planError }) => plan ?? planError)).toEqual([
    ['SCAN t'],
    'only the beginning of its SQL was kept',
    'no such column',
  ]);
});

test('who asks and goes away gets no plan made', async () => {
  const { reports, ran, asked } = scene();
  ran({ totalMs: 1_500, sql: 'select nothing' });
  ran({ totalMs: 1_500, sql: 'select nothing, too' });
  await expect(reports.segment(id, { plan: true }, AbortSignal.abort())).rejects.toMatchObject({ code: 'SQL_INVALID' });
  expect(asked).toHaveLength(1);
});

test('the slow queries of the node come with its name', () => {
  const { reports, ran } = scene();
  ran({ totalMs: 1_000 });
  expect(reports.slow()).toMatchObject({ node: 'n1', slowMs: 1_000, recent: [{ segment: 's' }], slowest: [{}] });
});
