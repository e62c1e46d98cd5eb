import { expect, test } from 'vitest';
import { HttpMetrics } from '../../../src/http/metrics.ts';
import { BucketCounts } from '../../../src/model/bucket-counts.ts';

async function linesOf(metrics: HttpMetrics, name: string): Promise<string[]> {
  const text = await metrics.render();
  return text.split('\n').filter((line) => line.startsWith(name) || line.startsWith(`# TYPE ${name}`));
}

test('a counter shows what is read at each scrape', async () => {
  const metrics = new HttpMetrics();
  let figure = 3;
  metrics.counter('t_rows_total', 'Rows.', () => figure);
  expect(await linesOf(metrics, 't_rows_total')).toEqual(['# TYPE t_rows_total counter', 't_rows_total 3']);
  figure = 7;
  expect(await linesOf(metrics, 't_rows_total')).toEqual(['# TYPE t_rows_total counter', 't_rows_total 7']);
});

test('counters are told apart by their label', async () => {
  const metrics = new HttpMetrics();
  metrics.counters('t_kills_total', 'Kills.', 'reason', () => ({ deadline: 2, cancelled: 0 }));
  expect(await linesOf(metrics, 't_kills_total')).toEqual([
    '# TYPE t_kills_total counter',
    't_kills_total{reason="deadline"} 2',
    't_kills_total{reason="cancelled"} 0',
  ]);
});

test('a histogram kept elsewhere is shown as Prometheus reads one: buckets that add up, sum and count', async () => {
  const counts = new BucketCounts([0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 3]) counts.add(seconds);
  const metrics = new HttpMetrics();
  metrics.histograms('t_seconds', 'Time.', 'outcome', () => [['ok', counts]]);
  expect(await linesOf(metrics, 't_seconds')).toEqual([
    '# TYPE t_seconds histogram',
    't_seconds_bucket{le="0.1",outcome="ok"} 2',
    't_seconds_bucket{le="1",outcome="ok"} 3',
    't_seconds_bucket{le="+Inf",outcome="ok"} 4',
    't_seconds_sum{outcome="ok"} 3.65',
    't_seconds_count{outcome="ok"} 4',
  ]);
});

test('requests are counted by port, route and status, and those under way by port', async () => {
  const metrics = new HttpMetrics();
  metrics.begin('reader');
  metrics.begin('reader');
  metrics.begin('reader');
  metrics.begin('writer');
  metrics.end('reader', '/v1/x', 200, 0.002);
  metrics.end('reader', '/v1/x', 503, 0.2);
  const counts = (await linesOf(metrics, 'trough_http')).filter((line) => /_count|_in_flight/.test(line));
  expect(counts).toEqual([
    'trough_http_request_seconds_count{port="reader",route="/v1/x",status="200"} 1',
    'trough_http_request_seconds_count{port="reader",route="/v1/x",status="503"} 1',
    '# TYPE trough_http_in_flight gauge',
    'trough_http_in_flight{port="reader"} 1',
    'trough_http_in_flight{port="writer"} 1',
  ]);
  const [type, first] = await linesOf(metrics, 'trough_http_request_seconds');
  expect([type, first]).toEqual([
    '# TYPE trough_http_request_seconds histogram',
    'trough_http_request_seconds_bucket{le="0.0005",port="reader",route="/v1/x",status="200"} 0',
  ]);
});
