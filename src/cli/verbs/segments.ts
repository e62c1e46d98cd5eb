import { type Command } from 'commander';
import { SegmentsAnswer } from '../../messages/control.ts';
import { formatTable } from '../table.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, type UrlOptions, type Verbs } from './verb.ts';

const PAGE = 1_000;
const COLUMNS = ['segment', 'tier', 'state', 'node', 'version', 'bytes', 'schema'] as const;

export function addSegmentsVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('segments')
    .description('list the segments')
    .option('--matching <RE>', 'only ids that this regular expression finds something in')
    .option('--json', 'one JSON object for each, on a line of its own')
    .addHelpText('after', "\nExamples:\n  trough segments --matching '^2024-'\n  trough segments --json | wc -l")
    .action(async (options: UrlOptions & { matching?: string; json?: boolean }) => {
      using client = clientFor(context, options);
      let after: string | undefined;
      do {
        const search = new URLSearchParams({ limit: String(PAGE) });
        if (options.matching !== undefined) search.set('matching', options.matching);
        if (after !== undefined) search.set('after', after);
        const call = { face: 'manager', method: 'GET', timeoutMs: MANAGE_TIMEOUT_MS } as const;
        const page = await client.json({ ...call, path: `/v1/segments?${search.toString()}` }, SegmentsAnswer);
        const text =
          options.json === true ? jsonLines(page) : pageTable(page, after === undefined, context.stdout.isTty);
        if (text !== '' && !(await context.stdout.write(text))) return;
        after = page.next;
      } while (after !== undefined);
    });
  addUrls(verb, ['manager']);
}

function jsonLines({ segments }: SegmentsAnswer): string {
  return segments.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Each page has its own widths: the list may be millions long. */
function pageTable({ segments }: SegmentsAnswer, isFirst: boolean, isTty: boolean): string {
  const rows = segments.map((row) => [
    row.id,
    row.tier,
    row.state,
    row.node ?? '-',
    row.version,
    row.sizeBytes,
    row.schema ?? '-',
  ]);
  const text = formatTable(COLUMNS, rows, { isTty: isTty && isFirst });
  return isFirst ? text : text.slice(text.indexOf('\n') + 1);
}
