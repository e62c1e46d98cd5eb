import { readFile } from 'node:fs/promises';
import { type Command } from 'commander';
import { z } from 'zod';
import { TroughError } from '../../errors.ts';
import { type CliContext } from '../context.ts';
import { UsageError } from '../usage-error.ts';
import { addUrls, argumentOrStdin, clientFor, MANAGE_TIMEOUT_MS, type UrlOptions, type Verbs } from './verb.ts';

const SchemaReply = z.object({ id: z.string(), sql: z.string() });

export function addSchemaVerb(program: Command, { context }: Verbs): void {
  const schema = program
    .command('schema')
    .description('list, show and register the SQL scripts that create segments')
    .addHelpText('after', HELP);
  const ls = schema
    .command('ls')
    .description('list the names')
    .action(async (options: UrlOptions) => {
      using client = clientFor(context, options);
      const ids = await client.json(
        { face: 'manager', method: 'GET', path: '/schema', timeoutMs: MANAGE_TIMEOUT_MS },
        z.array(z.string()),
      );
      await context.stdout.write(ids.map((id) => `${id}\n`).join(''));
    });
  const show = schema
    .command('show')
    .description('print the SQL of one')
    .argument('<ID>')
    .action(async (id: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const { sql } = await client.json(
        { face: 'manager', method: 'GET', path: schemaPath(id), timeoutMs: MANAGE_TIMEOUT_MS },
        SchemaReply,
      );
      await context.stdout.write(sql.endsWith('\n') || sql === '' ? sql : `${sql}\n`);
    });
  const register = schema
    .command('register')
    .description('store a script under a name, replacing what was there')
    .argument('<ID>')
    .argument('<FILE>', "'-' is standard input")
    .action(async (id: string, file: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const body = await readScript(context, file);
      await client.text({
        face: 'manager',
        method: 'PUT',
        path: `${schemaPath(id)}/sql`,
        body,
        timeoutMs: MANAGE_TIMEOUT_MS,
      });
      await context.stdout.write(`${id} is registered\n`);
    });
  for (const verb of [ls, show, register]) addUrls(verb, ['manager']);
}

const HELP = `
Examples:
  trough schema ls
  trough schema show weather
  trough schema register weather weather.sql`;

function schemaPath(id: string): string {
  return `/schema/${encodeURIComponent(id)}`;
}

async function readScript(context: CliContext, file: string): Promise<string> {
  if (file === '-') return argumentOrStdin(file, context.stdin);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${TroughError.from(error).message}`);
  }
}
