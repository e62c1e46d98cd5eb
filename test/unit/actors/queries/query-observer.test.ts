import { expect, test } from 'vitest';
import { QueryObserver } from '../../../../src/actors/queries/query-observer.ts';
import { type QueryRecord } from '../../../../src/engine/engine.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { type LogLine, recordingLog } from '../../../support/recording-log.ts';

const START = 1_700_000_000_000;

function observing(slowMs = 1_000) {
  const clock = new ManualClock(START);
  const { log, lines } = recordingLog();
  return { clock, lines, observer: new QueryObserver({ clock, log, slowMs }) };
}

function record(more: Partial<QueryRecord> = {}): QueryRecord {
  return {
    segment: 's',
    sql: 'select 1',
    startedMs: 1,
    openMs: 0.5,
    firstMs: 3,
    totalMs: 5,
    rows: 2,
    bytes: 10,
    error: undefined,
    ...more,
  };
}

const slowLines = (lines: readonly LogLine[]): LogLine[] => lines.filter(({ msg }) => msg === 'slow query');

test('each phase is counted in seconds, by whether it went well or what kind of failure it was', () => {
  const { observer } = observing();
  observer.add(record());
  observer.add(record({ totalMs: 7 }));
  observer.add(record({ firstMs: undefined, totalMs: 100, error: 'ENGINE_DEADLINE' }));
  observer.add(record({ startedMs: undefined, openMs: undefined, firstMs: undefined, error: 'ENGINE_CANCELLED' }));
  const shown = (phase: 'queue' | 'open' | 'first' | 'total'): unknown =>
    observer.all.phase(phase).map(([outcome, { count, sum }]) => [outcome, count, Number(sum.toFixed(6))]);
  expect(shown('queue')).toEqual([
    ['ok', 2, 0.002],
    ['late', 1, 0.001],
  ]);
  expect(shown('open')).toEqual([
    ['ok', 2, 0.001],
    ['late', 1, 0.0005],
  ]);
  expect(shown('first')).toEqual([
    ['ok', 2, 0.006],
    ['late', 0, 0],
  ]);
  expect(shown('total')).toEqual([
    ['ok', 2, 0.012],
    ['late', 2, 0.105],
  ]);
  expect(observer.all.errors()).toEqual({ ENGINE_DEADLINE: 1, ENGINE_CANCELLED: 1 });
  expect([observer.all.rows, observer.all.bytes]).toEqual([8, 40]);
});

test('a segment has its own figures', async () => {
  const { observer, clock } = observing();
  observer.add(record({ segment: 'other' }));
  for (let ms = 1; ms <= 100; ms += 1) observer.add(record({ totalMs: ms }));
  await clock.advance(2_000);
  observer.add(record({ error: 'SQL_FAILED', rows: 0, bytes: 0, totalMs: 1 }));
  expect(observer.segment('s').report()).toEqual({
    sinceMs: START,
    lastMs: START + 2_000,
    queries: 101,
    errors: { SQL_FAILED: 1 },
    rows: 200,
    bytes: 1_000,
    latency: { queries: 101, p50Ms: 50, p95Ms: 95, p99Ms: 99 },
    slow: [],
  });
});

test('percentiles are those of the last 256 queries, and refused ones are counted without moving them', () => {
  const { observer } = observing(0);
  for (let query = 0; query < 1_000; query += 1) observer.add(record({ totalMs: 50 }));
  for (let query = 0; query < 256; query += 1) observer.add(record({ totalMs: 10 }));
  for (let query = 0; query < 256; query += 1) {
    observer.add(record({ startedMs: undefined, totalMs: 0, error: 'SEGMENT_QUEUE_FULL' }));
  }
  const { latency, queries, errors } = observer.segment('s').report();
  expect(latency).toEqual({ queries: 256, p50Ms: 10, p95Ms: 10, p99Ms: 10 });
  expect([queries, errors]).toEqual([1_512, { SEGMENT_QUEUE_FULL: 256 }]);
});

test('a segment that was never queried has zeros', () => {
  const { observer } = observing();
  observer.add(record({ segment: 'other' }));
  expect(observer.knows('s')).toBe(false);
  expect(observer.segment('s').report()).toEqual({
    sinceMs: null,
    lastMs: null,
    queries: 0,
    errors: {},
    rows: 0,
    bytes: 0,
    latency: { queries: 0, p50Ms: null, p95Ms: null, p99Ms: null },
    slow: [],
  });
});

test('the thousand segments that were queried last are remembered, a flood of others is not', () => {
  const { observer } = observing();
  for (let index = 0; index < 50_000; index += 1) {
    observer.add(record({ segment: `s${String(index)}` }));
    if (index % 500 === 0) observer.add(record({ segment: 'steady' }));
  }
  const known = Array.from({ length: 50_000 }, (_, index) => observer.knows(`s${String(index)}`));
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(2_000);
  expect(known.slice(-990).every(Boolean)).toBe(true);
  expect(observer.segment('steady').report().queries).toBe(100);
});

test('a query over the threshold is logged once, and listed for the node and for its segment', () => {
  const { observer, lines } = observing(1_000);
  observer.add(record({ totalMs: 999.9 }));
  observer.add(record({ totalMs: 1_000, firstMs: 2.00049 }));
  const slow = {
    segment: 's',
    endedMs: START,
    sql: 'select 1',
    cut: false,
    queueMs: 1,
    openMs: 0.5,
    firstMs: 2,
    totalMs: 1_000,
    rows: 2,
    bytes: 10,
    outcome: 'ok',
  };
  expect(slowLines(lines)).toEqual([expect.objectContaining({ ...slow, level: 40 })]);
  expect(observer.slow.report()).toEqual({ slowMs: 1_000, recent: [slow], slowest: [slow] });
  expect(observer.segment('s').report().slow).toEqual([slow]);
});

test('a query that was killed is logged however quick its end, also when slow ones are not; a failed one is not', () => {
  const { observer, lines } = observing(0);
  observer.add(record({ totalMs: 50, error: 'ENGINE_DEADLINE', firstMs: undefined }));
  observer.add(record({ totalMs: 50, error: 'ENGINE_CHILD_DIED' }));
  observer.add(record({ totalMs: 50, error: 'ENGINE_MEMORY' }));
  observer.add(record({ totalMs: 50, error: 'SQL_FAILED' }));
  observer.add(record({ totalMs: 60_000 }));
  expect(slowLines(lines).map(({ outcome, firstMs }) => [outcome, firstMs])).toEqual([
    ['ENGINE_DEADLINE', null],
    ['ENGINE_CHILD_DIED', 3],
    ['ENGINE_MEMORY', 3],
  ]);
});

test('a flood of slow queries writes twenty lines a minute and says how many it left out', async () => {
  const { observer, lines, clock } = observing();
  for (let query = 0; query < 500; query += 1) observer.add(record({ totalMs: 2_000 }));
  expect(slowLines(lines)).toHaveLength(20);
  await clock.advance(60_000);
  expect(lines.at(-1)).toMatchObject({ level: 40, leftOut: 480, msg: 'slow queries were left out of the log' });
  observer.add(record({ totalMs: 2_000 }));
  expect(slowLines(lines)).toHaveLength(21);
  await clock.advance(60_000);
  expect(lines).toHaveLength(22);
  expect(observer.slow.count).toBe(501);
});

test('what was left out is said when the node stops, and nothing keeps the process from ending', async () => {
  const { observer, lines, clock } = observing();
  const timers: { cancelled: boolean }[] = [];
  const after = clock.after.bind(clock);
  clock.after = (delayMs, run) => {
    const timer = { cancelled: false };
    const cancel = after(delayMs, run);
    timers.push(timer);
    return () => {
      timer.cancelled = true;
      cancel();
    };
  };
  for (let query = 0; query < 21; query += 1) observer.add(record({ totalMs: 2_000 }));
  observer[Symbol.dispose]();
  expect(lines.at(-1)).toMatchObject({ leftOut: 1 });
  expect(timers).toEqual([{ cancelled: true }]);
  await clock.advance(120_000);
  expect(lines).toHaveLength(21);
});

test('a long text is cut, and said to be', () => {
  const { observer } = observing();
  observer.add(record({ totalMs: 2_000, sql: 'é'.repeat(1_000_000) }));
  const [slow] = observer.slow.report().recent;
  expect(slow).toMatchObject({ sql: 'é'.repeat(2_000), cut: true });
});

test('the node lists the last hundred slow queries, and the fifty slowest of the last hour', async () => {
  const { observer, clock } = observing();
  observer.add(record({ sql: 'an hour ago', totalMs: 50_000 }));
  await clock.advance(1_000);
  observer.add(record({ sql: 'a little later', totalMs: 40_000 }));
  await clock.advance(3_599_000);
  for (let index = 0; index < 1_000; index += 1) {
    observer.add(record({ sql: String(index), totalMs: 1_000 + ((index * 7) % 1_000) }));
  }
  const { recent, slowest } = observer.slow.report();
  expect(recent).toHaveLength(100);
  expect([recent[0]?.sql, recent[99]?.sql]).toEqual(['999', '900']);
  expect(slowest.map(({ totalMs }) => totalMs)).toEqual([40_000, ...Array.from({ length: 49 }, (_, at) => 1_999 - at)]);
});

test('a segment lists its last five slow queries, newest first', () => {
  const { observer } = observing();
  for (let index = 0; index < 8; index += 1) observer.add(record({ sql: String(index), totalMs: 1_000 }));
  expect(
    observer
      .segment('s')
      .report()
      .slow.map(({ sql }) => sql),
  ).toEqual(['7', '6', '5', '4', '3']);
});
