import { type Command } from 'commander';
import { TroughError } from '../../errors.ts';
import { type RebuildAnswer as Answer, RebuildAnswer, type RebuildFinding } from '../../messages/rebuild.ts';
import { parseNodeId } from '../../model/node-id.ts';
import { parseSegmentId } from '../../model/segment-id.ts';
import { type Client } from '../client.ts';
import { type CliContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { printable } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, parseOption, type UrlOptions, type Verbs } from './verb.ts';
import { pause } from '../../runtime/pause.ts';

interface RebuildOptions extends UrlOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly take?: readonly string[];
  readonly json?: boolean;
}

const POLL_MS = 500;
const LINE_EVERY_MS = 5_000;
const KIND_WIDTH = 18;
/** A leader that takes over in the middle begins anew. */
const TRIES = 5;

/** `rebuild`. */
export function addRebuildVerb(program: Command, { context, outcome }: Verbs): void {
  const verb = program
    .command('rebuild')
    .description('make lost metadata again from cold storage, the journal and what the nodes have')
    .option('--dry-run', 'say what would be done and what could not be settled; change nothing')
    .option('--force', 'also when the store was not lost: what is missing is added, what is there stays')
    .option(
      '--take <SEGMENT=PLACE>',
      "whose state of a segment counts, where several have one: a node, 'journal' or 'cold' (may be repeated)",
      (one: string, before?: readonly string[]) => [...(before ?? []), one],
    )
    .option('--json', 'one JSON object for each finding, on a line of its own; the last line is the summary')
    .addHelpText('after', HELP)
    .action(async (options: RebuildOptions) => {
      outcome.code = await rebuildVerb(context, options);
    });
  addUrls(verb, ['manager']);
}

const HELP = `
When the metadata store (NATS) was lost, the nodes notice at their start that they have data which it knows nothing of.
Until this command has ended nothing is granted, placed or deleted, and only reads with consistency 'any' are answered.
Start every node first: what is on one that is away is taken in when the command is run again after it is back.

Leases come from the journal, where there is one, and from the files of segments that were open for writing; the placement
from where the copies are; schemas from the journal; rules of single segments from the catalogue of the leader. It may be broken off and run again at any time.
What could not be settled is listed, one line each; the exit code is 0 when nothing is left for you to do, 1 when something is.

Examples:
  trough rebuild --dry-run
  trough rebuild
  trough rebuild --take crawl-17=n2`;

async function rebuildVerb(context: CliContext, options: RebuildOptions): Promise<number> {
  const { stdout } = context;
  const take = Object.fromEntries((options.take ?? []).map(parseTake));
  using client = clientFor(context, options);
  const request = { dryRun: options.dryRun === true, force: options.force === true, take };
  const { answer, findings } = await follow(context, client, request);
  const isToBeSettled = findings.some(({ kind }) => kind !== 'forgotten' && kind !== 'journal-gone');
  for (const finding of findings) {
    const line = options.json === true ? JSON.stringify(finding) : describe(finding);
    if (!(await stdout.write(`${line}\n`))) return EXIT.ok;
  }
  const summary = { _trough: { summary: { dryRun: answer.dryRun, ...answer.counts, findings: findings.length } } };
  await stdout.write(options.json === true ? `${JSON.stringify(summary)}\n` : summarise(answer));
  if (answer.failure !== null) throw TroughError.fromRecord(answer.failure);
  return isToBeSettled ? EXIT.failed : EXIT.ok;
}

async function follow(
  context: CliContext,
  client: Client,
  request: object,
): Promise<{ readonly answer: Answer; readonly findings: readonly RebuildFinding[] }> {
  const progress = new Progress(context);
  for (let tries = 1; ; tries += 1) {
    let answer = await ask(client, request);
    const findings = [...answer.findings];
    try {
      while (answer.phase !== 'done' && answer.failure === null) {
        await progress.say(answer);
        await pause(context.clock, POLL_MS);
        answer = await ask(client, { job: answer.job, from: findings.length });
        findings.push(...answer.findings);
      }
    } catch (error) {
      // Another leads now, and knows nothing of it.
      if (TroughError.from(error).code !== 'REQUEST_INVALID' || tries === TRIES) throw error;
      continue;
    }
    if (answer.failure?.code === 'LEADER_DEPOSED' && tries < TRIES) continue;
    return { answer, findings };
  }
}

function ask(client: Client, body: object): Promise<Answer> {
  const call = { face: 'manager', method: 'POST', path: '/v1/rebuild', timeoutMs: MANAGE_TIMEOUT_MS } as const;
  return client.json({ ...call, body }, RebuildAnswer);
}

/** A line for each new phase, and one every five seconds. */
class Progress {
  readonly #context: CliContext;
  #phase = '';
  #saidAt = -Infinity;

  constructor(context: CliContext) {
    this.#context = context;
  }

  async say({ phase, counts }: Answer): Promise<void> {
    const { clock, stderr } = this.#context;
    if (phase === this.#phase && clock.monotonic() - this.#saidAt < LINE_EVERY_MS) return;
    this.#phase = phase;
    this.#saidAt = clock.monotonic();
    const { journalKeys, hotFiles, copies, held, released, shredded, opened } = counts;
    const leases = held + released + shredded;
    await stderr.write(
      `trough: ${PHASES[phase]}: ${String(journalKeys)} segments in the journal, ${String(hotFiles)} files of writes, ` +
        `${String(copies)} copies, ${String(leases)} leases, ${String(opened)} opened\n`,
    );
  }
}

const PHASES: Readonly<Record<Answer['phase'], string>> = {
  listing: 'cold storage is listed',
  journal: 'the journal is read',
  hot: 'the nodes are asked for files of writes',
  copies: 'the nodes are asked for their copies',
  documents: 'documents are written',
  opening: 'segments are opened for writing',
  done: 'done',
};

function describe({ kind, segment, node, why }: RebuildFinding): string {
  return printable(`${kind.padEnd(KIND_WIDTH)}  ${segment ?? node ?? '-'}: ${why}`);
}

function summarise({ dryRun, counts }: Answer): string {
  const { nodes, segments, held, released, shredded, kept, schemas, rules, opened } = counts;
  const would = dryRun ? 'would be made: ' : 'made: ';
  return (
    `${String(nodes)} nodes and ${String(segments)} segments; ${would}leases: ${String(held)} held, ${String(released)} released, ` +
    `${String(shredded)} shredded; ${String(kept)} leases were there; ${String(schemas)} schemas; ${String(rules)} rules; ${String(opened)} segments opened\n`
  );
}

function parseTake(text: string): [string, string] {
  const at = text.lastIndexOf('=');
  if (at === -1) throw new UsageError(`--take: '${text}' is not SEGMENT=PLACE`);
  const [segment, place] = [text.slice(0, at), text.slice(at + 1)];
  return [parseOption('--take', segment, parseSegmentId), parseOption('--take', place, parseNodeId)];
}
