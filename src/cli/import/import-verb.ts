import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import { TroughError } from '../../errors.ts';
import { type Client } from '../client.ts';
import { type CliContext } from '../context.ts';
import { EXIT, SIGNAL_EXIT } from '../exit-code.ts';
import { UsageError } from '../usage-error.ts';
import { addUrls, clientFor, type UrlOptions, type Verbs, wholeNumber } from '../verbs/verb.ts';
import { type ColumnType, type ImportPlan } from './import-options.ts';
import { counted, grouped, Progress } from './progress.ts';
import { type ImportSummary, runImport } from './run-import.ts';
import { type Begin } from './resume.ts';
import { sniffFormat } from './sniff-format.ts';
import { identifyFile, Source } from './source.ts';

const RETRY = { random: Math.random, backoff: { firstMs: 100, mostMs: 5_000 }, giveUpAfterMs: 60_000 };

interface ImportVerbOptions extends UrlOptions {
  readonly segmentBy: string;
  readonly segmentName?: string;
  readonly table?: string;
  readonly schema?: string;
  readonly types?: string;
  readonly format?: ImportPlan['format'];
  readonly delimiter?: string;
  readonly promote?: boolean;
  readonly resume?: boolean;
  readonly restart?: boolean;
  readonly state?: string;
  readonly rejects?: string;
  readonly strict?: boolean;
  readonly batchRows: string;
  readonly parallel: string;
  readonly progress: 'auto' | 'none';
}

export function addImportVerb(program: Command, { context, outcome }: Verbs): void {
  const verb = program
    .command('import')
    .description('read a table from a file into segments, one for each value of a column')
    .argument('<FILE>', "CSV, TSV, lines of JSON or a JSON array; gzip too; '-' is standard input")
    .requiredOption('--segment-by <COLUMN>', 'the column whose values name the segments')
    .option('--segment-name <TEMPLATE>', "segment ids, such as 'flights-{origin}' [the value itself]")
    .option('--table <NAME>', "the table in each segment [the file's name]")
    .option('--schema <NAME>', 'a registered schema that has this table [one is made from the columns]')
    .option('--types <LIST>', 'column=INTEGER|REAL|TEXT,…; a value that does not fit a given type makes a bad row')
    .addOption(
      new Option('--format <FORMAT>', 'what the file is [found out]').choices(['csv', 'tsv', 'ndjson', 'json']),
    )
    .option('--delimiter <CHARACTER>', 'between the fields of a CSV [, or a tab]')
    .option('--promote', 'publish every segment to cold storage at the end')
    .option('--resume', 'go on with an import that was interrupted; no row goes in twice')
    .option('--restart', 'forget an interrupted import; the rows that are in stay in')
    .option('--state <FILE>', 'where the progress is kept until the end [FILE.trough-import.json]')
    .option('--rejects <FILE>', 'where bad rows go, each with its reason [FILE.rejects]')
    .option('--strict', 'exit code 1 when there are bad rows')
    .option('--batch-rows <N>', 'most rows of one transaction', '2000')
    .option('--parallel <N>', 'segments that are written at a time', '8')
    .addOption(new Option('--progress <WHAT>', 'on stderr').choices(['auto', 'none']).default('auto'))
    .addHelpText('after', HELP)
    .action(async (file: string, options: ImportVerbOptions) => {
      outcome.code = await importVerb(context, file, options);
    });
  addUrls(verb, ['read', 'write', 'manager']);
}

const HELP = `
The types of the columns are found from the first 1,000 rows: INTEGER, REAL or TEXT (so are numbers with leading
zeros). An empty field is NULL. SQLite keeps a later value of another type as it is; one that would be changed by
its column (leading zeros, more than 64 bits) makes a bad row. Bad rows are counted, the first ten are shown, and all
are written to the rejects file.

Each batch is one transaction. After a crash, of this program or of the cluster, run the same command with --resume:
the rows that are in are counted, and as many are passed over. Until then nobody else may write these tables.

Examples:
  trough import flights-airport.csv --segment-by origin
  trough import weather.csv.gz --segment-by location --segment-name 'weather-{location}' --promote
  zcat log.ndjson.gz | trough import - --segment-by day --table log --types status=INTEGER`;

async function importVerb(context: CliContext, file: string, options: ImportVerbOptions): Promise<number> {
  const parallel = wholeNumber('--parallel')(options.parallel);
  using client = clientFor(context, options, parallel);
  const startedAt = context.clock.monotonic();
  const summary = await start(context, client, file, options, parallel);
  const elapsedMs = context.clock.monotonic() - startedAt;
  await context.stdout.write(sentenceOf(summary, elapsedMs));
  if (summary.badRows > 0) await context.stderr.write(badRowsText(summary, rejectsPathOf(file, options)));
  return summary.badRows > 0 && options.strict === true ? EXIT.failed : EXIT.ok;
}

async function start(
  context: CliContext,
  client: Client,
  file: string,
  options: ImportVerbOptions,
  parallel: number,
): Promise<ImportSummary> {
  const isStdin = file === '-';
  const begin = beginOf(options);
  const statePath = options.state ?? (isStdin ? undefined : `${file}.trough-import.json`);
  if (begin === 'resume' && statePath === undefined)
    throw new UsageError('--resume from standard input needs --state FILE');
  const identity = isStdin ? null : await identifyFile(file);
  const source = isStdin ? new Source('standard input', () => context.stdin) : Source.file(file);
  const { format: found, text } = await sniffFormat(isStdin ? '' : file, source.text());
  const plan = planOf(file, options, options.format ?? found);
  try {
    return await runImport({
      client,
      clock: context.clock,
      retry: RETRY,
      source,
      text,
      identity,
      plan,
      begin,
      statePath,
      pace: {
        batchRows: wholeNumber('--batch-rows')(options.batchRows),
        parallel,
        promote: options.promote === true,
        rejectsPath: rejectsPathOf(file, options),
      },
      signal: stopSignal(context),
      watch: (counts) =>
        options.progress === 'none'
          ? nothing
          : new Progress({ clock: context.clock, output: context.stderr, totalBytes: identity?.sizeBytes, counts }),
    });
  } catch (error) {
    const known = TroughError.from(error);
    if (known instanceof UsageError || known.code !== 'IMPORT_FAILED' || statePath === undefined) throw known;
    throw new TroughError(
      'IMPORT_FAILED',
      `${known.message}; the same command with --resume goes on from here`,
      known.context,
      known,
    );
  }
}

const nothing: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };

function beginOf({ resume, restart }: ImportVerbOptions): Begin {
  if (resume === true && restart === true) throw new UsageError('--resume and --restart are two things: take one');
  return resume === true ? 'resume' : restart === true ? 'restart' : 'new';
}

function planOf(file: string, options: ImportVerbOptions, format: ImportPlan['format']): ImportPlan {
  return {
    segmentBy: options.segmentBy,
    segmentName: options.segmentName ?? `{${options.segmentBy}}`,
    table: options.table ?? tableNameOf(file),
    schema: options.schema,
    types: options.types === undefined ? {} : readTypes(options.types),
    format,
    delimiter: options.delimiter ?? (format === 'tsv' ? '\t' : ','),
  };
}

/** `flights-airport.csv.gz` is `flights_airport`. */
function tableNameOf(file: string): string {
  if (file === '-') return 'data';
  const word = basename(file)
    .replace(/\..*$/, '')
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .toLowerCase();
  return /^[a-z_]/.test(word) && !word.startsWith('sqlite_') ? word : `t_${word}`;
}

function readTypes(list: string): Record<string, ColumnType> {
  const types: Record<string, ColumnType> = {};
  for (const part of list.split(',').filter((one) => one.trim() !== '')) {
    const at = part.lastIndexOf('=');
    const type = part
      .slice(at + 1)
      .trim()
      .toUpperCase();
    if (at < 1 || (type !== 'INTEGER' && type !== 'REAL' && type !== 'TEXT')) {
      throw new UsageError(`--types: '${part}' is not COLUMN=INTEGER, COLUMN=REAL or COLUMN=TEXT`);
    }
    types[part.slice(0, at).trim()] = type;
  }
  return types;
}

function rejectsPathOf(file: string, options: ImportVerbOptions): string {
  return options.rejects ?? (file === '-' ? 'trough-import.rejects' : `${file}.rejects`);
}

/** The first signal ends the import between two batches, the second one at once. */
function stopSignal(context: CliContext): AbortSignal {
  const controller = new AbortController();
  context.onSignal((signal) => {
    if (controller.signal.aborted) context.exitNow(SIGNAL_EXIT[signal]);
    controller.abort();
  });
  return controller.signal;
}

function sentenceOf({ rows, skipped, segments, badRows }: ImportSummary, elapsedMs: number): string {
  const seconds = Math.max(0.001, elapsedMs / 1_000);
  const before = skipped > 0 ? ` (${grouped(skipped)} were in already)` : '';
  const rate = grouped(Math.round(rows / seconds));
  return `${counted(rows, 'row')} into ${counted(segments, 'segment')}${before} in ${seconds.toFixed(1)} s, ${rate} rows/s; ${counted(badRows, 'bad row')}\n`;
}

function badRowsText({ badRows, shown }: ImportSummary, path: string): string {
  const lines = shown.map(({ line, reason }) => `  line ${String(line)}: ${reason}\n`).join('');
  const more = badRows > shown.length ? `  and ${grouped(badRows - shown.length)} more\n` : '';
  return `trough: ${grouped(badRows)} bad rows were left out; all of them are in ${path}\n${lines}${more}`;
}
