import { rm } from 'node:fs/promises';
import { TroughError } from '../../errors.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type Client } from '../client.ts';
import { MANAGE_TIMEOUT_MS } from '../verbs/verb.ts';
import { UsageError } from '../usage-error.ts';
import { Batches } from './batches.ts';
import { type Column } from './column-types.ts';
import { Dispatcher } from './dispatcher.ts';
import { type ImportPace, type ImportPlan } from './import-options.ts';
import { createTableSql, mostRowsPerInsert, schemaIdOf } from './import-sql.ts';
import { type ImportHeader, ImportState } from './import-state.ts';
import { type Counts } from './progress.ts';
import { type Reject, Rejects } from './rejects.ts';
import { type Begin, checkSame, findUnfinished } from './resume.ts';
import { type RetryOptions } from './retry.ts';
import { RowShaper } from './row-shaper.ts';
import { SegmentLoader } from './segment-loader.ts';
import { SegmentNamer } from './segment-namer.ts';
import { SegmentTable } from './segment-table.ts';
import { type Source, type SourceIdentity } from './source.ts';
import { openTable, type TableSource } from './table-source.ts';

/** Enough to keep every request large, little enough for a small machine. */
const BATCH_BYTES = 4_000_000;
const BUFFERED_BYTES = 24_000_000;

export interface ImportJob {
  readonly client: Client;
  readonly clock: Clock;
  readonly retry: Omit<RetryOptions, 'clock'>;
  readonly source: Source;
  /** The source's text, from its beginning. */
  readonly text: AsyncIterable<string>;
  /** null: standard input. */
  readonly identity: SourceIdentity | null;
  readonly plan: ImportPlan;
  readonly pace: ImportPace;
  readonly begin: Begin;
  /** Absent: not to be resumed. */
  readonly statePath: string | undefined;
  readonly signal: AbortSignal;
  /** Is told, once, how to ask for the counts. */
  readonly watch: (counts: () => Counts) => AsyncDisposable;
}

export interface ImportSummary {
  readonly rows: number;
  /** Rows that an earlier run had brought in. */
  readonly skipped: number;
  readonly segments: number;
  readonly badRows: number;
  readonly shown: readonly Reject[];
  readonly schema: string;
}

/** Reads, finds types, and writes every row into its segment. IMPORT_FAILED: what is in stays in, and --resume goes on from there. */
export async function runImport(job: ImportJob): Promise<ImportSummary> {
  const { plan, pace } = job;
  const unfinished = await findUnfinished(job.statePath, job.begin);
  const start = { format: 1, source: job.identity, plan } as const;
  if (unfinished !== undefined) checkSame(unfinished.header, start);
  const table = await openTable(job.text, plan.format, plan.delimiter, plan.types);
  const columns = unfinished?.header.columns ?? table.columns;
  const names = columns.map(({ name }) => name);
  if (!names.includes(plan.segmentBy))
    throw new UsageError(`--segment-by: there is no column '${plan.segmentBy}'; the columns are ${names.join(', ')}`);
  const namer = new SegmentNamer(plan.segmentName, names);
  const schema = await prepareSchema(job, columns);
  await rm(pace.rejectsPath, { force: true });
  await using rejects = new Rejects(
    pace.rejectsPath,
    names,
    plan.format === 'csv' || plan.format === 'tsv' ? plan.delimiter : undefined,
  );
  await using state = await openState(job, unfinished, { ...start, columns: [...columns] });
  const loader = new SegmentLoader({
    table: new SegmentTable({
      client: job.client,
      table: plan.table,
      columns,
      schema: schema.id,
      createSql: schema.sql,
    }),
    state,
    rejects,
    retry: { ...job.retry, clock: job.clock },
    mostRows: mostRowsPerInsert(columns),
  });
  await loadWatched(job, { ...table, columns }, namer, loader, rejects);
  await state?.remove();
  return {
    rows: loader.loaded,
    skipped: loader.skipped,
    segments: loader.segmentCount,
    badRows: rejects.count,
    shown: rejects.shown,
    schema: schema.id,
  };
}

async function loadWatched(
  job: ImportJob,
  table: TableSource,
  namer: SegmentNamer,
  loader: SegmentLoader,
  rejects: Rejects,
): Promise<void> {
  const watching = job.watch(() => ({
    bytesRead: job.source.bytesRead,
    rows: loader.loaded + loader.skipped,
    segments: loader.segmentCount,
    badRows: rejects.count,
  }));
  try {
    await load(job, table, namer, loader, rejects);
    if (job.pace.promote) await promoteAll(loader, job.pace.parallel);
  } finally {
    await watching[Symbol.asyncDispose]();
  }
}

async function load(
  job: ImportJob,
  table: TableSource,
  namer: SegmentNamer,
  loader: SegmentLoader,
  rejects: Rejects,
): Promise<void> {
  const shaper = new RowShaper(table.columns);
  const batches = new Batches({ batchRows: job.pace.batchRows, batchBytes: BATCH_BYTES, totalBytes: BUFFERED_BYTES });
  const dispatcher = new Dispatcher((batch) => loader.load(batch), job.pace.parallel);
  for await (const item of table.items) {
    if (job.signal.aborted) {
      await dispatcher.drain();
      throw new TroughError('IMPORT_FAILED', 'stopped before the end');
    }
    if (!('row' in item)) {
      await rejects.add({ line: item.line, reason: item.bad, raw: item.raw });
      continue;
    }
    const shaped = shaper.shape(item.row);
    const named = 'bad' in shaped ? shaped : namer.name(shaped.values);
    if ('bad' in shaped || 'bad' in named) {
      await rejects.add({
        line: item.line,
        reason: 'bad' in shaped ? shaped.bad : 'bad' in named ? named.bad : '',
        raw: item.row,
      });
      continue;
    }
    for (const batch of batches.add(named.segment, { line: item.line, values: shaped.values }))
      await dispatcher.submit(batch);
  }
  for (const batch of batches.rest()) await dispatcher.submit(batch);
  await dispatcher.drain();
  loader.finish();
}

/** Promotes are independent of each other; a few at a time. */
async function promoteAll(loader: SegmentLoader, parallel: number): Promise<void> {
  const segments = loader.segments();
  const worker = async (): Promise<void> => {
    for (const segment of segments) await loader.promote(segment);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

async function prepareSchema(
  { client, plan }: ImportJob,
  columns: readonly Column[],
): Promise<{ id: string; sql: string | undefined }> {
  const path = (id: string): string => `/schema/${encodeURIComponent(id)}/sql`;
  if (plan.schema !== undefined) {
    await client.text({ face: 'manager', method: 'GET', path: path(plan.schema), timeoutMs: MANAGE_TIMEOUT_MS });
    return { id: plan.schema, sql: undefined };
  }
  const sql = createTableSql(plan.table, columns);
  const id = schemaIdOf(plan.table, sql);
  await client.text({ face: 'manager', method: 'PUT', path: path(id), body: sql, timeoutMs: MANAGE_TIMEOUT_MS });
  return { id, sql };
}

async function openState(
  job: ImportJob,
  unfinished: Awaited<ReturnType<typeof findUnfinished>>,
  header: ImportHeader,
): Promise<ImportState | undefined> {
  if (job.statePath === undefined) return undefined;
  return unfinished === undefined ? ImportState.create(job.statePath, header) : unfinished.open();
}
