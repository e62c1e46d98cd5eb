import { type Command } from 'commander';
import { WriteReply } from '../../messages/http-api.ts';
import { z } from 'zod';
import { addUrls, argumentOrStdin, clientFor, segmentPath, type UrlOptions, type Verbs } from './verb.ts';

const WRITE_TIMEOUT_MS = 600_000;
/** `lastInsertRowid` may be a bigint. */
const Reply = WriteReply.extend({ results: z.array(z.object({ changes: z.number() })) }).loose();

export function addWriteVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('write')
    .description('apply SQL to one writable segment, all of it or nothing')
    .argument('<SEGMENT>')
    .argument('<SQL>', "one or more statements; '-' reads them from standard input")
    .addHelpText('after', HELP)
    .action(async (segment: string, sql: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const script = await argumentOrStdin(sql, context.stdin);
      const { results } = await client.json(
        {
          face: 'write',
          method: 'POST',
          path: segmentPath(segment, '/write'),
          body: { script },
          timeoutMs: WRITE_TIMEOUT_MS,
        },
        Reply,
      );
      const changes = results.reduce((sum, result) => sum + result.changes, 0);
      await context.stdout.write(`${count(results.length, 'statement')} done, ${count(changes, 'row')} changed\n`);
    });
  addUrls(verb, ['write']);
}

const HELP = `
The segment must be writable: trough provision SEGMENT makes it so.

Examples:
  trough write stations "insert into station values (1, 'Oslo')"
  trough write stations - < load.sql`;

function count(n: number, what: string): string {
  return `${String(n)} ${what}${n === 1 ? '' : 's'}`;
}
