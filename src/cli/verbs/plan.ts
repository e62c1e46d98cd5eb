import { type Command } from 'commander';
import { PlanAnswer } from '../../messages/control.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { parseNodeId } from '../../model/node-id.ts';
import { parsePlannedNode } from '../../model/planned-node.ts';
import { roughTime } from '../rough-time.ts';
import { formatTable } from '../table.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, parseOption, type UrlOptions, type Verbs } from './verb.ts';

const COLUMNS = [
  'node',
  'zone',
  'quota',
  'bytes now',
  'bytes then',
  'slots now',
  'slots then',
  'to fetch',
  'bytes',
  'time',
] as const;

type PlanOptions = UrlOptions & {
  readonly without: readonly string[];
  readonly with: readonly string[];
  readonly json?: boolean;
};

export function addPlanVerb(program: Command, { context }: Verbs): void {
  const add = (one: string, before: readonly string[]): string[] => [...before, one];
  const verb = program
    .command('plan')
    .description('what would move if nodes went or came; changes nothing')
    .option('--without <NODE>', 'as if this node were gone or drained; may be repeated', add, [])
    .option('--with <NODE:QUOTA[:ZONE]>', 'as if there were this node too; may be repeated', add, [])
    .option('--dry-run', 'what this verb always is')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  trough plan --without n3 --dry-run\n  trough plan --with n9:500GB:rack2 --dry-run\n  trough plan --without n3 --with n9:500GB --json',
    )
    .action(async (options: PlanOptions) => {
      for (const name of options.without) parseOption('--without', name, parseNodeId);
      for (const node of options.with) parseOption('--with', node, parsePlannedNode);
      using client = clientFor(context, options);
      const search = new URLSearchParams();
      if (options.without.length > 0) search.set('without', options.without.join(','));
      if (options.with.length > 0) search.set('with', options.with.join(','));
      const path = search.size === 0 ? '/v1/plan' : `/v1/plan?${search.toString()}`;
      const call = { face: 'manager', method: 'GET', path, timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const answer = await client.json(call, PlanAnswer);
      const text =
        options.json === true ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer, context.stdout.isTty);
      await context.stdout.write(text);
    });
  addUrls(verb, ['manager']);
}

function describe({ nodes, moves, ms, rate, notes }: PlanAnswer, isTty: boolean): string {
  const rows = nodes.map(({ node, zone, quotaBytes, bytes, places, gains, ms: own }) => [
    ...[node, zone, roughByteSize(quotaBytes), roughByteSize(bytes.before), roughByteSize(bytes.after)],
    ...[places.before, places.after, gains.copies, roughByteSize(gains.bytes)],
    own === null ? '-' : roughTime(own),
  ]);
  const speed = `${rate.copiesPerSecond.toFixed(1)} copies/s and ${roughByteSize(rate.bytesPerSecond)}/s to a node`;
  const basis = rate.basis === 'observed' ? 'as observed lately' : 'assumed: nothing was fetched yet';
  const summary =
    moves.places === 0
      ? 'nothing would move\n'
      : `${String(moves.places)} places in ${String(moves.slots)} slots would move: ${String(moves.copies)} copies, ` +
        `${roughByteSize(moves.bytes)}, about ${roughTime(ms)}\nat ${speed} (${basis})\n`;
  return [summary, ...notes.map((note) => `note: ${note}\n`), '\n', formatTable(COLUMNS, rows, { isTty })].join('');
}
