import { type Command } from 'commander';
import { StatusAnswer } from '../../messages/control.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { formatTable } from '../table.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, type UrlOptions, type Verbs } from './verb.ts';

const COLUMNS = [
  'node',
  'zone',
  'state',
  'roles',
  'stored',
  'quota',
  'copies',
  'to fetch',
  'leases',
  'load',
  'last beat',
] as const;

export function addStatusVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('status')
    .description('the cluster as it is now')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  trough status\n  trough status --json --manager-url http://10.0.0.5:6111')
    .action(async (options: UrlOptions & { json?: boolean }) => {
      using client = clientFor(context, options);
      const call = { face: 'manager', method: 'GET', path: '/v1/status', timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const status = await client.json(call, StatusAnswer);
      const text =
        options.json === true ? `${JSON.stringify(status, null, 2)}\n` : describe(status, context.stdout.isTty);
      await context.stdout.write(text);
    });
  addUrls(verb, ['manager']);
}

function describe({ leader, nodes, segments, placement }: StatusAnswer, isTty: boolean): string {
  const rows = nodes.map((node) => [
    node.node,
    node.zone,
    node.state,
    node.roles.join(','),
    roughByteSize(node.storedBytes),
    roughByteSize(node.quotaBytes),
    node.copies,
    node.pending,
    node.leases,
    Number(node.load.toFixed(2)),
    node.beatAgeMs === null ? '-' : `${(node.beatAgeMs / 1_000).toFixed(1)} s ago`,
  ]);
  const lead = leader === null ? 'nobody leads' : `${leader.node} leads (term ${String(leader.term)})`;
  const missing = placement.underReplicated;
  return [
    `${lead}; placement epoch ${String(placement.epoch)}\n`,
    `segments: ${String(segments.hot)} hot, ${String(segments.cold)} cold, ${String(segments.writable)} writable`,
    missing === 0 ? '\n\n' : `; ${String(missing)} with fewer copies than wanted\n\n`,
    formatTable(COLUMNS, rows, { isTty }),
  ].join('');
}
