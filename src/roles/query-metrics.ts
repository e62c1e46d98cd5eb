import { type QueryPhase } from '../actors/queries/query-figures.ts';
import { type NodeContext } from './node-context.ts';

const PHASES: readonly (readonly [name: string, phase: QueryPhase, help: string])[] = [
  ['trough_query_queue_seconds', 'queue', 'From the request of a query until it was given to a process.'],
  ['trough_query_open_seconds', 'open', 'What the process took to open the file and to prepare the statement.'],
  ['trough_query_first_row_seconds', 'first', 'From the request of a query to its first rows.'],
  ['trough_query_seconds', 'total', 'From the request of a query to its end.'],
];

/** The queries that run on this node, and the processes that run them. `outcome` is ok, or the kind of the error. */
export function showQueryMetrics({
  metrics,
  engine,
  queries,
}: Pick<NodeContext, 'metrics' | 'engine' | 'queries'>): void {
  const { all, slow } = queries;
  for (const [name, phase, help] of PHASES) metrics.histograms(name, help, 'outcome', () => all.phase(phase));
  metrics.counters('trough_query_errors_total', 'Queries that failed, by the code of the error.', 'code', () =>
    all.errors(),
  );
  metrics.counter('trough_query_rows_total', 'Rows of answers.', () => all.rows);
  metrics.counter('trough_query_bytes_total', 'Bytes of answers.', () => all.bytes);
  metrics.counter('trough_slow_queries_total', 'Queries over the threshold, and killed ones.', () => slow.count);
  metrics.gauge('trough_queries_running', 'Queries given to a process.', () => engine.stats().running);
  metrics.gauge('trough_queries_waiting', 'Queries that wait for a process.', () => engine.stats().waiting);
  metrics.gauge('trough_engine_children', 'Processes that run SQL.', () => engine.stats().children);
  metrics.gauge(
    'trough_engine_open_connections',
    'Files that the query processes hold open.',
    () => engine.stats().openConnections,
  );
  metrics.gauges(
    'trough_engine_process_open_connections',
    'The same by query process; those that are there for long queries come last.',
    'process',
    () => Object.fromEntries(engine.stats().openConnectionsByChild.map((open, place) => [String(place + 1), open])),
  );
  metrics.counters(
    'trough_engine_kills_total',
    'Processes killed by trough, by the reason.',
    'reason',
    () => engine.stats().killsByReason,
  );
  metrics.counter('trough_engine_restarts_total', 'Processes that were replaced.', () => engine.stats().restarts);
}
