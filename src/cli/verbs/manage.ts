import { type Command } from 'commander';
import { MoveWriterAnswer, PromoteAnswer, ProvisionAnswer, ReleaseAnswer } from '../../messages/control.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { parseNodeId } from '../../model/node-id.ts';
import { type Call } from '../client.ts';
import { type CliContext } from '../context.ts';
import {
  addUrls,
  clientFor,
  COPY_TIMEOUT_MS,
  MANAGE_TIMEOUT_MS,
  parseOption,
  segmentPath,
  type UrlOptions,
  type Verbs,
} from './verb.ts';

/** `provision`, `promote`, `release`, `move-writer` and `shred`. */
export function addManageVerbs(program: Command, { context }: Verbs): void {
  addProvision(program, context);
  addPromote(program, context);
  addRelease(program, context);
  addMoveWriter(program, context);
  addShred(program, context);
}

function addProvision(program: Command, context: CliContext): void {
  const verb = program
    .command('provision')
    .description('make a segment writable, creating it when there is none; prints where to write')
    .argument('<SEGMENT>')
    .option('--schema <ID>', 'schema that creates a new segment', 'default')
    .addHelpText('after', '\nExamples:\n  trough provision stations\n  trough provision 2024-05-01 --schema weather')
    .action(async (segment: string, options: UrlOptions & { schema: string }) => {
      using client = clientFor(context, options);
      const answer = await client.json(
        { ...post(segment, 'provision', MANAGE_TIMEOUT_MS), body: { schema: options.schema } },
        ProvisionAnswer,
      );
      const state = answer.created ? 'new' : roughByteSize(answer.sizeBytes);
      await context.stdout.write(`${answer.writeUrl}  (${state}, on ${answer.node})\n`);
    });
  addUrls(verb, ['manager']);
}

function addPromote(program: Command, context: CliContext): void {
  const verb = program
    .command('promote')
    .description('publish the state of a writable segment to cold storage; it stays writable')
    .argument('<SEGMENT>')
    .addHelpText('after', '\nExamples:\n  trough promote stations')
    .action(async (segment: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const answer = await client.json({ ...post(segment, 'promote', COPY_TIMEOUT_MS), body: {} }, PromoteAnswer);
      await context.stdout.write(
        `${answer.path}  (${roughByteSize(answer.sizeBytes)}, version ${String(answer.version)})\n`,
      );
    });
  addUrls(verb, ['manager']);
}

function addRelease(program: Command, context: CliContext): void {
  const verb = program
    .command('release')
    .description('publish what is unpublished, then give up the write lease')
    .argument('<SEGMENT>')
    .addHelpText('after', '\nExamples:\n  trough release stations')
    .action(async (segment: string, options: UrlOptions) => {
      using client = clientFor(context, options);
      const answer = await client.json({ ...post(segment, 'release', COPY_TIMEOUT_MS), body: {} }, ReleaseAnswer);
      await context.stdout.write(`released at version ${String(answer.version)}\n`);
    });
  addUrls(verb, ['manager']);
}

function addMoveWriter(program: Command, context: CliContext): void {
  const verb = program
    .command('move-writer')
    .description('give a writable segment to another node, which goes on from its journal; writes wait for a moment')
    .argument('<SEGMENT>')
    .argument('<NODE>')
    .addHelpText('after', '\nExamples:\n  trough move-writer stations n2')
    .action(async (segment: string, given: string, options: UrlOptions) => {
      const node = parseOption('NODE', given, parseNodeId);
      using client = clientFor(context, options);
      const call = { ...post(segment, 'move-writer', COPY_TIMEOUT_MS), body: { node } };
      const { from } = await client.json(call, MoveWriterAnswer);
      const sentence = from === node ? `${segment} is on ${node} already` : `${segment} went from ${from} to ${node}`;
      await context.stdout.write(`${sentence}\n`);
    });
  addUrls(verb, ['manager']);
}

function addShred(program: Command, context: CliContext): void {
  const verb = program
    .command('shred')
    .description('delete a segment everywhere: copies, cold storage, unpublished writes')
    .argument('<SEGMENT>')
    .option('--force', 'also when it is writable')
    .addHelpText('after', '\nExamples:\n  trough shred stations\n  trough shred stations --force')
    .action(async (segment: string, options: UrlOptions & { force?: boolean }) => {
      using client = clientFor(context, options);
      const path = segmentPath(segment, options.force === true ? '?force=true' : '');
      await client.text({ face: 'manager', method: 'DELETE', path, timeoutMs: COPY_TIMEOUT_MS });
      await context.stdout.write(`${segment} is gone\n`);
    });
  addUrls(verb, ['manager']);
}

function post(segment: string, verb: string, timeoutMs: number): Omit<Call, 'body'> {
  return { face: 'manager', method: 'POST', path: segmentPath(segment, `/${verb}`), timeoutMs };
}
