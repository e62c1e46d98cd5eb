import { type Command } from 'commander';
import { SegmentStatsAnswer, SlowQueriesAnswer, type SlowQuery } from '../../messages/query-reports.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { formatDuration } from '../../model/duration.ts';
import { formatTable } from '../table.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, segmentPath, type UrlOptions, type Verbs } from './verb.ts';

const FIGURES = ['queries', 'errors', 'rows', 'bytes', 'p50 ms', 'p95 ms', 'p99 ms', 'running', 'waiting'] as const;
const SLOW = ['ended', 'total ms', 'queue ms', 'open ms', 'first ms', 'rows', 'bytes', 'outcome', 'sql'] as const;

type StatsOptions = UrlOptions & { readonly json?: boolean; readonly plan?: boolean };

export function addStatsVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('stats')
    .description('what the queries of a segment took on one reader; without SEGMENT its slow queries')
    .argument('[SEGMENT]', 'id of the segment')
    .option('--plan', 'with the plan that SQLite has now for each slow query of the segment')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  trough stats ATL --plan\n  trough stats --read-url http://10.0.0.11:6444')
    .action(async (segment: string | undefined, options: StatsOptions) => {
      using client = clientFor(context, options);
      const call = { face: 'read', method: 'GET', timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const { isTty } = context.stdout;
      const show = async (answer: object, text: string): Promise<void> => {
        await context.stdout.write(options.json === true ? `${JSON.stringify(answer, null, 2)}\n` : text);
      };
      if (segment === undefined) {
        const answer = await client.json({ ...call, path: '/v1/queries/slow' }, SlowQueriesAnswer);
        await show(answer, describeNode(answer, isTty));
        return;
      }
      const path = segmentPath(segment, options.plan === true ? '/stats?plan=1' : '/stats');
      const answer = await client.json({ ...call, path }, SegmentStatsAnswer);
      await show(answer, describeSegment(answer, isTty));
    });
  addUrls(verb, ['read']);
}

function describeSegment(stats: SegmentStatsAnswer, isTty: boolean): string {
  const { latency, errors, slow, slowMs } = stats;
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  const figures = [
    ...[stats.queries, failed, stats.rows, stats.bytes, latency.p50Ms, latency.p95Ms, latency.p99Ms],
    ...[stats.running, stats.waiting],
  ];
  const codes = Object.entries(errors).map(([code, count]) => `${code} ${String(count)}`);
  return [
    `${stats.segment} on node ${stats.node}: ${servedFrom(stats)}; ${countedSince(stats)}\n\n`,
    formatTable(FIGURES, [figures], { isTty }),
    codes.length === 0 ? '' : `errors: ${codes.join(', ')}\n`,
    slow.length === 0 ? '' : `\n${meaningOfSlow(slowMs)}, newest first:\n${slowTable(slow, isTty)}`,
    slow.some(({ plan, planError }) => (plan ?? planError) !== undefined) ? `\n${planTable(slow, isTty)}` : '',
  ].join('');
}

function describeNode({ node, slowMs, recent, slowest }: SlowQueriesAnswer, isTty: boolean): string {
  if (recent.length === 0) return `node ${node} has had no slow query (${meaningOfSlow(slowMs)}) since it started\n`;
  return [
    `${meaningOfSlow(slowMs)}, on node ${node}, newest first:\n${slowTable(recent, isTty, true)}`,
    slowest.length === 0 ? '' : `\nslowest of the last hour:\n${slowTable(slowest, isTty, true)}`,
  ].join('');
}

function servedFrom({ served }: SegmentStatsAnswer): string {
  if (served === null) return 'no file of it here';
  return `version ${served.version}${served.sizeBytes === null ? '' : `, ${roughByteSize(served.sizeBytes)}`}`;
}

function countedSince({ sinceMs }: SegmentStatsAnswer): string {
  return sinceMs === null ? 'no query was counted here' : `counted since ${timeOf(sinceMs)}`;
}

function meaningOfSlow(slowMs: number): string {
  return slowMs === 0 ? 'killed queries' : `slow queries: ${formatDuration(slowMs)} or more, or killed`;
}

function slowTable(queries: readonly SlowQuery[], isTty: boolean, withSegment = false): string {
  const rows = queries.map((query) => [
    timeOf(query.endedMs),
    ...[query.totalMs, query.queueMs ?? '-', query.openMs ?? '-', query.firstMs ?? '-'],
    ...[query.rows, query.bytes, query.outcome, ...(withSegment ? [query.segment] : []), query.sql],
  ]);
  const columns = withSegment ? [...SLOW.slice(0, -1), 'segment', 'sql'] : SLOW;
  return formatTable(columns, rows, { isTty });
}

function planTable(queries: readonly SlowQuery[], isTty: boolean): string {
  const rows = queries.flatMap(({ sql, plan, planError }) =>
    (plan ?? [`no plan: ${planError ?? ''}`]).map((step, at) => [at === 0 ? sql : '', step]),
  );
  return formatTable(['sql', 'plan'], rows, { isTty });
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}
