import { type Command } from 'commander';
import { ColdCheckAnswer } from '../../messages/cold-check.ts';
import { parseByteSize } from '../../model/byte-size.ts';
import { type Client } from '../client.ts';
import { CheckOutput } from '../cold-check/check-output.ts';
import { CheckState } from '../cold-check/check-state.ts';
import { CheckTally } from '../cold-check/check-tally.ts';
import { type CliContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { roughTime } from '../rough-time.ts';
import { addUrls, clientFor, COPY_TIMEOUT_MS, parseOption, type UrlOptions, type Verbs } from './verb.ts';

interface CheckOptions extends UrlOptions {
  readonly repair?: boolean;
  readonly quick?: boolean;
  readonly rate?: string;
  readonly json?: boolean;
  readonly restart?: boolean;
  readonly state: string;
}

/** `cold check`. */
export function addColdVerb(program: Command, { context, outcome }: Verbs): void {
  const cold = program
    .command('cold')
    .description('look after cold storage')
    .addHelpText('after', '\nExamples:\n  trough cold check\n  trough cold check --repair');
  const check = cold
    .command('check')
    .description(
      'compare the catalogue with cold storage and with the copies; list what is lost, torn, foreign or left over',
    )
    .option('--repair', 'mend what can be mended without replacing or deleting a segment')
    .option('--quick', 'look at lengths and beginnings only; do not read the files')
    .option(
      '--rate <BYTES>',
      "read at most so much in a second, such as 8MiB; never more than the leader's coldCheckRate",
    )
    .option('--json', 'one JSON object for each finding, on a line of its own; the last line is the summary')
    .option('--restart', 'forget an unfinished check')
    .option('--state <FILE>', 'where the place is kept until the end', 'trough-cold-check.state')
    .addHelpText('after', HELP)
    .action(async (options: CheckOptions) => {
      outcome.code = await checkVerb(context, options);
    });
  addUrls(check, ['manager']);
}

const HELP = `
What it finds, one line each:
  lost      the catalogue names a segment of which cold storage has no file; says which nodes have copies
  torn      a file that is shorter than it says, is no SQLite database, has another checksum, or cannot be read
  foreign   a file that the catalogue does not know, or not as it is: somebody else put it there
  leftover  a temporary file older than a day: what a broken upload left

What --repair does, and nothing else:
  lost      a node publishes its verified copy of that very version again, with the time that the file had
  foreign   a whole file with a good name is taken into the catalogue
  leftover  it is removed
A torn file stays: take it away yourself, and --repair publishes the segment again from a copy. Nothing is overwritten.

It goes on beside the daily work: the leader reads no faster than 'coldCheckRate', looks at no more than 'coldWalkRate'
files in a second, and works for one check at a time. The place is kept in the file of --state: after Ctrl-C, a crash or
an election, the same command goes on where it was. The file is removed at the end.

The exit code is 0 when nothing is left to be mended, 1 when something is.

Examples:
  trough cold check
  trough cold check --repair --rate 8MiB
  trough cold check --quick --json | grep '"kind":"lost"'`;

async function checkVerb(context: CliContext, options: CheckOptions): Promise<number> {
  const { clock, stdout, stderr } = context;
  const { rate } = options;
  const bytesPerSecond = rate === undefined ? undefined : parseOption('--rate', rate, parseByteSize);
  using client = clientFor(context, options);
  const [read, repair] = [options.quick !== true, options.repair === true];
  const header = { format: 1, manager: client.urls.manager, read, repair, startedMs: clock.now() } as const;
  await using state = await CheckState.open(options.state, header, options.restart === true);
  const output = new CheckOutput(stdout, stderr, options.json === true);
  const tally = new CheckTally(read);
  for (const stretch of state.past) {
    tally.add(stretch);
    if (!(await output.findings(stretch.findings))) return EXIT.ok;
  }
  await output.note(beginning(state, clock.now()));
  const body = { read, repair, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) };
  for (let after = state.past.at(-1)?.next; !isDone(state, after);) {
    const startedAt = clock.monotonic();
    const { total, ...answer } = await stretchOf(client, after === undefined ? body : { ...body, after });
    const stretch = { ...answer, elapsedMs: clock.monotonic() - startedAt };
    await state.append(stretch);
    tally.add(stretch, total);
    if (!(await output.findings(answer.findings))) return EXIT.ok;
    after = answer.next;
    if (after === undefined) break;
    await output.progress(tally);
  }
  await output.end(tally);
  await state.remove();
  return tally.open > 0 ? EXIT.failed : EXIT.ok;
}

/** Whether a run before this one came to the end, and not to its last words. */
function isDone({ past }: CheckState, after: string | undefined): boolean {
  return past.length > 0 && after === undefined;
}

function beginning({ path, past, header }: CheckState, nowMs: number): string {
  if (past.length === 0) return `the place of this check is kept in ${path}; the same command goes on from there`;
  return `goes on with the check that began ${roughTime(nowMs - header.startedMs)} ago (${path}); --restart begins anew`;
}

function stretchOf(client: Client, body: object): Promise<ColdCheckAnswer> {
  const call = { face: 'manager', method: 'POST', path: '/v1/cold/check', timeoutMs: COPY_TIMEOUT_MS } as const;
  return client.json({ ...call, body }, ColdCheckAnswer);
}
