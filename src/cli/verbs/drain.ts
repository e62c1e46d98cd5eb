import { type Command } from 'commander';
import { DrainAnswer } from '../../messages/control.ts';
import { parseNodeId } from '../../model/node-id.ts';
import { addUrls, clientFor, MANAGE_TIMEOUT_MS, parseOption, type UrlOptions, type Verbs } from './verb.ts';

interface DrainVerb {
  readonly name: 'drain' | 'undrain';
  readonly description: string;
  readonly say: (answer: DrainAnswer) => string;
}

const VERBS: readonly DrainVerb[] = [
  {
    name: 'drain',
    description: 'empty a node: its copies are made elsewhere first, its leases given back; it serves until then',
    say: ({ node, changed }) =>
      changed
        ? `${node} is being drained; 'trough status' shows how far it is, 'trough undrain ${node}' takes it back\n`
        : `${node} was being drained already\n`,
  },
  {
    name: 'undrain',
    description: 'take a drain back: the node gets its share again',
    say: ({ node, changed }) => (changed ? `${node} gets its share again\n` : `${node} was not being drained\n`),
  },
];

/** `drain` and `undrain`. */
export function addDrainVerbs(program: Command, { context }: Verbs): void {
  for (const { name, description, say } of VERBS) {
    const verb = program
      .command(name)
      .description(description)
      .argument('<NODE>')
      .option('--json', 'as JSON')
      .addHelpText('after', `\nExamples:\n  trough ${name} n3\n  trough ${name} n3 && trough status --watch`)
      .action(async (given: string, options: UrlOptions & { json?: boolean }) => {
        const node = parseOption('NODE', given, parseNodeId);
        using client = clientFor(context, options);
        const call = { face: 'manager', method: 'POST', path: `/v1/${name}`, timeoutMs: MANAGE_TIMEOUT_MS } as const;
        const answer = await client.json({ ...call, body: { node } }, DrainAnswer);
        await context.stdout.write(options.json === true ? `${JSON.stringify(answer, null, 2)}\n` : say(answer));
      });
    addUrls(verb, ['manager']);
  }
}
