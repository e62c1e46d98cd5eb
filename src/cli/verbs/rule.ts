import { type Command } from 'commander';
import { RuleAnswer, type SegmentRuleRow, type Tier } from '../../messages/segment-rule.ts';
import { formatTable } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import {
  addUrls,
  clientFor,
  MANAGE_TIMEOUT_MS,
  parseOption,
  segmentPath,
  type UrlOptions,
  type Verbs,
  wholeNumber,
} from './verb.ts';

interface SetOptions extends UrlOptions {
  readonly copies?: string;
  readonly tier?: string;
}

const COLUMNS = ['segment', 'copies', 'tier', 'settings say', 'nodes', 'why'] as const;

/** `rule set`, `rule remove` and `rule list`. */
export function addRuleVerb(program: Command, { context }: Verbs): void {
  const rule = program
    .command('rule')
    .description('copies or tier of one segment, in place of what the settings say')
    .addHelpText('after', HELP);
  const set = rule
    .command('set')
    .description('give a segment copies or a tier of its own; what is not named is as the settings say')
    .argument('<SEGMENT>')
    .option('--copies <N>', 'on so many nodes')
    .option('--tier <TIER>', 'hot: copies on nodes; cold: none, read through a cache')
    .action(async (segment: string, options: SetOptions) => {
      const body = bodyOf(options);
      using client = clientFor(context, options);
      const call = { face: 'manager', method: 'POST', timeoutMs: MANAGE_TIMEOUT_MS, body } as const;
      const { rules } = await client.json({ ...call, path: segmentPath(segment, '/rule') }, RuleAnswer);
      await context.stdout.write(rules.map((row) => `${segment}: ${saidOf(row)}\n`).join(''));
    });
  const remove = rule
    .command('remove')
    .description('take it back: the segment is as the settings say again')
    .argument('<SEGMENT>')
    .action(async (segment: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const call = { face: 'manager', method: 'DELETE', timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const { changed } = await client.json({ ...call, path: segmentPath(segment, '/rule') }, RuleAnswer);
      const said = changed ? 'is as the settings say again' : 'had no rule of its own';
      await context.stdout.write(`${segment} ${said}\n`);
    });
  const list = rule
    .command('list')
    .alias('ls')
    .description('the segments that have one, and those that have more copies because they are read very much')
    .option('--json', 'as JSON')
    .action(async (options: UrlOptions & { json?: boolean }) => {
      using client = clientFor(context, options);
      const call = { face: 'manager', method: 'GET', path: '/v1/rules', timeoutMs: MANAGE_TIMEOUT_MS } as const;
      const { rules } = await client.json(call, RuleAnswer);
      const { isTty } = context.stdout;
      const text = rules.length === 0 ? '' : formatTable(COLUMNS, rules.map(cellsOf), { isTty });
      await context.stdout.write(options.json === true ? `${JSON.stringify(rules, null, 2)}\n` : text);
    });
  for (const verb of [set, remove, list]) addUrls(verb, ['manager']);
}

const HELP = `
A rule holds until it is removed, whoever leads and whatever is restarted; it is lost with the metadata store only when the
disks of all sync-masters are lost too. More copies than there are nodes are refused.

Examples:
  trough rule set ATL --copies 5
  trough rule set 1987-archive --tier cold
  trough rule list
  trough rule remove ATL`;

function bodyOf({ copies, tier }: SetOptions): { copies?: number; tier?: Tier } {
  if (copies === undefined && tier === undefined) throw new UsageError("'rule set' needs --copies, --tier, or both");
  return {
    ...(copies === undefined ? {} : { copies: wholeNumber('--copies')(copies) }),
    ...(tier === undefined ? {} : { tier: parseOption('--tier', tier, parseTier) }),
  };
}

function parseTier(raw: string): Tier {
  if (raw === 'hot' || raw === 'cold') return raw;
  throw new UsageError(`'${raw}' is neither hot nor cold`);
}

function saidOf({ gets, bySettings }: SegmentRuleRow): string {
  const now = gets.tier === 'cold' ? 'tier cold, no copies' : `tier hot, ${String(gets.copies)} copies`;
  return `${now} (the settings say ${textOf(bySettings)})`;
}

function textOf({ tier, copies }: SegmentRuleRow['gets']): string {
  return tier === 'cold' ? 'cold' : `hot, ${String(copies)}`;
}

function cellsOf({ segment, gets, bySettings, placed, hot, copies, tier }: SegmentRuleRow): unknown[] {
  const isCold = gets.tier === 'cold';
  const asked = copies !== null || tier !== null ? ['an operator asked for it'] : [];
  const read = hot === null ? [] : [`read very much since ${new Date(hot.sinceMs).toISOString().slice(0, 19)}Z`];
  const short = !isCold && placed < gets.copies ? [`${String(gets.copies - placed)} have no node`] : [];
  return [
    segment,
    isCold ? '-' : gets.copies,
    gets.tier,
    textOf(bySettings),
    isCold ? '-' : placed,
    [...asked, ...read, ...short].join('; '),
  ];
}
