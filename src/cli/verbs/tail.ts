import { Option, type Command } from 'commander';
import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { parseMarkedJson } from '../../model/exact-json.ts';
import { type CliContext } from '../context.ts';
import { UsageError } from '../usage-error.ts';
import { type Client, type Call } from '../client.ts';
import { ChangeLines, type TailFormat } from '../tail/change-lines.ts';
import { Follower, type TailPage } from '../tail/follower.ts';
import { clientFor, segmentPath, type Verbs } from './verb.ts';

interface TailOptions {
  readonly matching?: string;
  readonly since?: string;
  readonly follow: boolean;
  readonly format: TailFormat;
  readonly readUrl?: string;
}

export function addTailVerb(program: Command, { context }: Verbs): void {
  program
    .command('tail')
    .description('follow what is committed to a segment, or to many: every acknowledged write once, in order')
    .argument('[SEGMENT]')
    .option(
      '--matching <RE>',
      "all segments whose ids match, those made later too (a regular expression, Python's syntax)",
    )
    .option(
      '--since <POSITION>',
      'from behind that: a sequence, a position that an earlier tail printed, or 0 for all there is; else from now on',
    )
    .option('--no-follow', 'end when there is nothing more now')
    .addOption(
      new Option('--format <FORMAT>', 'ndjson: a JSON document for each request; text: to be read')
        .choices(['ndjson', 'text'])
        .default('ndjson'),
    )
    .option(
      '--read-url <URL[,URL…]>',
      'addresses of readers; when one is away the next goes on [http://127.0.0.1:6444; TROUGH_READ_URL]',
    )
    .addHelpText('after', HELP)
    .action(async (segment: string | undefined, options: TailOptions) => {
      await tail(context, segment, options);
    });
}

const HELP = `
Each committed request is one line: {"kind":"write","segment":…,"sequence":…,"index":…,"at":…,"statements":[{"sql":…,"params":[…]}]}.
Lines with the one key "_trough" are no writes: created, based (it goes on from a version of cold storage), shredded, gap, and at the end the
summary, whose "next" is the position to go on from. What was printed is never printed again by a tail that goes on from there, on whichever node.

The journal keeps writes until they are promoted (and for two minutes). What is gone from it is told as a gap: which sequences are missing,
which version in cold storage has them, and the position that follows that version. Without a gap nothing is missing.
Segments that were made writable with --journal none have no journal, and cannot be followed.

Examples:
  trough tail stations                               from now on, until Ctrl-C
  trough tail stations --since 0 --no-follow         all that the journal has
  trough tail stations --since 4711-1f2e3d4c         goes on where an earlier one ended
  trough tail --matching '^2024-' --format text
  trough tail stations --read-url http://n1:6444,http://n2:6444`;

async function tail(context: CliContext, segment: string | undefined, options: TailOptions): Promise<void> {
  const { matching, since } = options;
  if ((segment === undefined) === (matching === undefined))
    throw new UsageError('name one SEGMENT, or many with --matching');
  const path =
    matching === undefined
      ? segmentPath(segment ?? '', '/changes?')
      : `/v1/changes?matching=${encodeURIComponent(matching)}&`;
  const stop = new AbortController();
  context.onSignal(() => {
    stop.abort();
  });
  const clients = clientsFor(context, options.readUrl);
  const lines = new ChangeLines(options.format);
  const follower = new Follower({
    clock: context.clock,
    random: Math.random,
    say: (sentence) => context.stderr.write(`trough: ${sentence}\n`),
    stop: stop.signal,
    nodes: clients.length,
    ask: (attempt, position, waitMs) => ask(clients, attempt, { path, position, waitMs, signal: stop.signal }),
    print: (changes) => context.stdout.write(lines.of(changes)),
  });
  try {
    await follower.run(since, options.follow);
    if (follower.position !== undefined) await context.stdout.write(lines.end(follower.position));
  } finally {
    for (const client of clients) client[Symbol.dispose]();
    const what = matching === undefined ? shellWord(segment ?? '') : `--matching ${shellWord(matching)}`;
    await sayWhereToGoOn(context, follower.position, what);
  }
}

function shellWord(text: string): string {
  return /^[\w.@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

async function sayWhereToGoOn({ stderr }: CliContext, position: string | undefined, what: string): Promise<void> {
  if (position !== undefined)
    await stderr.write(`trough: to go on from here: trough tail ${what} --since ${position}\n`);
}

/** Numbers stay as they are written. */
const Page: z.ZodType<TailPage> = z.object({
  changes: z.array(z.looseObject({ kind: z.string() })),
  next: z.string(),
  more: z.boolean(),
});

/** For the way there and back, and for what the other side may take to find out that it cannot. */
const TRAVEL_MS = 45_000;

async function ask(
  clients: readonly Client[],
  attempt: number,
  {
    path,
    position,
    waitMs,
    signal,
  }: { path: string; position: string | undefined; waitMs: number; signal: AbortSignal },
): Promise<TailPage> {
  const client = clients[attempt % clients.length];
  if (client === undefined) throw new TroughError('INTERNAL', 'there is nobody to ask');
  const since = position === undefined ? '' : `&since=${encodeURIComponent(position)}`;
  const call: Call = {
    ...{ face: 'read', method: 'GET', path: `${path}waitMs=${String(waitMs)}${since}` },
    ...{ timeoutMs: waitMs + TRAVEL_MS, signal },
  };
  return read(await client.text(call));
}

function read(text: string): TailPage {
  try {
    return Page.parse(parseMarkedJson(text));
  } catch (error) {
    throw new TroughError('INTERNAL', "the answer is not trough's: is that its read port?", {}, error);
  }
}

function clientsFor(context: CliContext, given: string | undefined): Client[] {
  const variable = context.host.env['TROUGH_READ_URL'];
  const urls = (given ?? variable ?? '').split(',').map((url) => url.trim());
  return urls.map((url) => clientFor(context, url === '' ? {} : { readUrl: url }));
}
