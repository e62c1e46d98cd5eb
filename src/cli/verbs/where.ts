import { type Command } from 'commander';
import { SegmentAnswer, type SegmentNode } from '../../messages/control.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { slotName, type Slot } from '../../model/slot.ts';
import { formatTable } from '../table.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, segmentPath, type UrlOptions, type Verbs } from './verb.ts';

const COLUMNS = ['node', 'rank', 'zone', 'state', 'version', 'verified', 'served', 'why'] as const;

export function addWhereVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('where')
    .description('where one segment is, who answers for it, and why the others do not')
    .argument('<SEGMENT>')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  trough where ATL\n  trough where ATL --json')
    .action(async (segment: string, options: UrlOptions & { json?: boolean }) => {
      using client = clientFor(context, options);
      const call = { face: 'manager', method: 'GET', timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const answer = await client.json({ ...call, path: segmentPath(segment) }, SegmentAnswer);
      await context.stdout.write(options.json === true ? `${JSON.stringify(answer, null, 2)}\n` : describe(answer));
    });
  addUrls(verb, ['manager']);
}

function describe(answer: SegmentAnswer): string {
  const { id, slot, tier, copies, version, sizeBytes, nodes, state } = answer;
  const published = version === 0 ? 'never published' : `version ${String(version)} (${roughByteSize(sizeBytes)})`;
  const wanted =
    tier === 'cold' ? `tier cold${ruleOf(answer)}, read through a cache` : `${String(copies)} copies${ruleOf(answer)}`;
  return [
    `${id}: slot ${slotName(slot as Slot)}, ${state}, ${wanted}; in cold storage: ${published}\n`,
    `lease: ${leaseOf(answer)}\n`,
    // The reason is the last column and is never cut.
    nodes.length === 0 ? '' : `\n${formatTable(COLUMNS, nodes.map(rowOf), { isTty: false })}`,
  ].join('');
}

function ruleOf({ rule }: SegmentAnswer): string {
  if (rule === undefined) return '';
  const { hotCopies, copies } = rule;
  return hotCopies !== null && hotCopies > (copies ?? 0) ? ' (it is read very much)' : ' (by a rule of its own)';
}

function leaseOf({ lease }: SegmentAnswer): string {
  if (lease === undefined) return 'never written through trough';
  const { node, epoch, state, version, unpromoted } = lease;
  const by = `${state === 'held' ? 'held by' : `${state}, last held by`} ${node} (epoch ${String(epoch)})`;
  const names = version === null ? 'nothing published' : `published version ${String(version)}`;
  return `${by}; ${names}${unpromoted ? ', with writes that are not published yet' : ''}`;
}

function rowOf({ rank, node, zone, state, report, served, why, target }: SegmentNode): unknown[] {
  const copy = report?.copy ?? null;
  return [
    node,
    target ? String(rank) : 'leaving',
    ...[zone ?? '-', state],
    copy === null ? '-' : String(copy.version),
    copy === null ? '-' : new Date(copy.verifiedMs).toISOString().slice(0, 19).replace('T', ' '),
    ...[served ? 'yes' : 'no', why],
  ];
}
