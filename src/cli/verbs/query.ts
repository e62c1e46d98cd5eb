import { Option, type Command } from 'commander';
import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { QueryAnswer } from '../../messages/http-api.ts';
import { parseDuration } from '../../model/duration.ts';
import { type Client, type Call } from '../client.ts';
import { type CliContext } from '../context.ts';
import { parseMarkedJson, WholeReal } from '../../model/exact-json.ts';
import { formatTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { lastLine, splitLines } from './ndjson-lines.ts';
import {
  addUrls,
  argumentOrStdin,
  clientFor,
  parseOption,
  segmentPath,
  type UrlOptions,
  type Verbs,
  wholeNumber,
} from './verb.ts';

/** A table is measured before its first line is printed, so it is held in memory. */
const MOST_TABLE_ROWS = 10_000;
const LONGEST_QUERY_MS = 3_600_000;
/** For the way there and back, beyond the query's own deadline. */
const TRAVEL_MS = 15_000;

/** Cells may be bigints, which the document of the answer does not know. */
const TableAnswer = QueryAnswer.extend({ rows: z.array(z.array(z.unknown())) }).loose();

interface QueryOptions extends UrlOptions {
  readonly format: 'table' | 'json' | 'ndjson' | 'csv';
  readonly consistency: 'strong' | 'any';
  readonly maxRows?: string;
  readonly deadline?: string;
  readonly param?: readonly string[];
}

export function addQueryVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('query')
    .description('answer one SELECT on one segment')
    .argument('<SEGMENT>')
    .argument('<SQL>', "one SELECT; '-' reads it from standard input")
    .addOption(
      new Option('--format <FORMAT>', 'how rows are printed')
        .choices(['table', 'json', 'ndjson', 'csv'])
        .default('table'),
    )
    .addOption(
      new Option('--consistency <WHAT>', 'strong: sees every acknowledged write; any: the nearest copy')
        .choices(['strong', 'any'])
        .default('strong'),
    )
    .option('--max-rows <N>', `stop after so many rows (tables: ${String(MOST_TABLE_ROWS)})`)
    .option('--deadline <DURATION>', 'stop after so long, such as 5s')
    .option('--param <JSON...>', 'values for ? in order, or one object for :names')
    .addHelpText('after', HELP)
    .action(async (segment: string, sql: string, options: QueryOptions) => {
      using client = clientFor(context, options);
      await runQuery(context, client, { segment, sql: await argumentOrStdin(sql, context.stdin) }, options);
    });
  addUrls(verb, ['read']);
}

const HELP = `
Examples:
  trough query ATL 'select count(*) from flights_airport'
  trough query ATL 'select * from flights_airport where destination = ?' --param '"SFO"'
  trough query ATL 'select * from flights_airport' --format csv > atl.csv
  trough query ATL - --format ndjson < report.sql | head`;

async function runQuery(
  context: CliContext,
  client: Client,
  ask: { segment: string; sql: string },
  options: QueryOptions,
): Promise<void> {
  const deadlineMs =
    options.deadline === undefined ? undefined : parseOption('--deadline', options.deadline, parseDuration);
  const asked = options.maxRows === undefined ? undefined : wholeNumber('--max-rows')(options.maxRows);
  const isTable = options.format === 'table';
  const call: Call = {
    face: 'read',
    method: 'POST',
    path: segmentPath(ask.segment, '/query'),
    timeoutMs: (deadlineMs ?? LONGEST_QUERY_MS) + TRAVEL_MS,
    body: {
      sql: ask.sql,
      params: options.param === undefined ? undefined : readParams(options.param),
      deadlineMs,
      consistency: options.consistency,
      maxRows: asked ?? (isTable ? MOST_TABLE_ROWS : undefined),
      format: isTable ? 'json' : options.format,
    },
  };
  if (isTable) await printTable(context, client, call, asked === undefined);
  else if (options.format === 'ndjson') await printLines(context, client, call);
  else await printBytes(context, client, call);
}

async function printTable(context: CliContext, client: Client, call: Call, isOwnLimit: boolean): Promise<void> {
  const answer = await client.json(call, TableAnswer);
  const isAll = await context.stdout.write(formatTable(answer.columns, answer.rows, context.stdout));
  if (answer.truncated && isAll && isOwnLimit) {
    await context.stderr.write(
      `trough: only the first ${String(answer.rows.length)} rows; all of them: --format csv or ndjson, or --max-rows\n`,
    );
  }
}

async function printBytes(context: CliContext, client: Client, call: Call): Promise<void> {
  let last = 10;
  for await (const chunk of client.stream(call)) {
    if (!(await context.stdout.write(chunk))) return;
    last = chunk.at(-1) ?? last;
  }
  if (last !== 10) await context.stdout.write('\n');
}

/** Rows go on as they are; the last line says whether they were all. */
async function printLines(context: CliContext, client: Client, call: Call): Promise<void> {
  let end: string | undefined;
  for await (const { rows, notes } of splitLines(client.stream(call))) {
    end = notes.at(-1) ?? end;
    if (rows.length > 0 && !(await context.stdout.write(rows))) return;
  }
  const { error, isSummary } = lastLine(end);
  if (error !== undefined) throw error;
  if (!isSummary)
    throw new TroughError('BUS_ANSWER_BROKEN', 'the answer ended before its last line: rows may be missing');
}

function readParams(texts: readonly string[]): unknown {
  const values = texts.map((text) => {
    try {
      return parseMarkedJson(text);
    } catch {
      throw new UsageError(`--param: ${text} is not JSON; a text needs quotes of its own: --param '"${text}"'`);
    }
  });
  const [first] = values;
  return values.length === 1 && (Array.isArray(first) || isNamed(first)) ? first : values;
}

function isNamed(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !('base64' in value) && !(value instanceof WholeReal);
}
