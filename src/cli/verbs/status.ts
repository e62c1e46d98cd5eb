import { type Command } from 'commander';
import { type NodeStatus, StatusAnswer } from '../../messages/control.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { type Client } from '../client.ts';
import { type CliContext } from '../context.ts';
import { roughTime } from '../rough-time.ts';
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

const WATCH_EVERY_MS = 2_000;
/** Moves a terminal's cursor home and clears what is below. */
const CLEAR = '\u001b[H\u001b[J';

interface StatusOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly node: string | undefined;
}

export function addStatusVerb(program: Command, { context }: Verbs): void {
  const verb = program
    .command('status [node]')
    .description('the cluster as it is now; of one node also what is in its lost+found')
    .option('--json', 'as JSON; with --watch one line each time')
    .option('--watch', 'again every two seconds, until Ctrl-C')
    .addHelpText(
      'after',
      '\nExamples:\n  trough status\n  trough status --watch\n  trough status --json --manager-url http://10.0.0.5:6111',
    )
    .action(async (node: string | undefined, options: UrlOptions & Omit<StatusOptions, 'node'>) => {
      using client = clientFor(context, options);
      const asked = { ...options, node };
      if (options.watch === true) await watch(context, client, asked);
      else await context.stdout.write(textOf(await ask(client, asked), asked, context.stdout.isTty));
    });
  addUrls(verb, ['manager']);
}

async function watch(context: CliContext, client: Client, options: StatusOptions): Promise<void> {
  const { stdout, clock, onSignal } = context;
  const stopped = new AbortController();
  onSignal(() => {
    stopped.abort();
  });
  const isStopped = (): boolean => stopped.signal.aborted;
  while (!isStopped()) {
    const status = await ask(client, options, stopped.signal).catch((error: unknown) => {
      if (!isStopped()) throw error;
      return undefined;
    });
    if (status === undefined) return;
    const text = textOf(status, options, stdout.isTty);
    const isScreen = stdout.isTty && options.json !== true;
    if (!(await stdout.write(isScreen ? `${CLEAR}${text}` : options.json === true ? text : `${text}\n`))) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(WATCH_EVERY_MS, resolve);
      stopped.signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }
}

function ask(client: Client, { node }: StatusOptions, signal?: AbortSignal): Promise<StatusAnswer> {
  const path = node === undefined ? '/v1/status' : `/v1/status?node=${encodeURIComponent(node)}`;
  const call = { face: 'manager', method: 'GET', path, timeoutMs: MANAGE_TIMEOUT_MS, signal } as const;
  return client.json(call, StatusAnswer);
}

function textOf(status: StatusAnswer, { json, watch: again }: StatusOptions, isTty: boolean): string {
  if (json !== true) return describe(status, isTty) + describeLost(status, isTty);
  return again === true ? `${JSON.stringify(status)}\n` : `${JSON.stringify(status, null, 2)}\n`;
}

function describe(status: StatusAnswer, isTty: boolean): string {
  const { leader, nodes, segments, placement } = status;
  const rows = nodes.map((node) => [
    node.node,
    node.zone,
    stateOf(node),
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
  const [hot, cold] = [roughByteSize(segments.hotBytes), roughByteSize(segments.coldBytes)];
  return [
    `${lead}; placement epoch ${String(placement.epoch)}\n`,
    `segments: ${String(segments.hot)} hot (${hot}), ${String(segments.cold)} cold (${cold}), ${String(segments.writable)} writable\n`,
    ...describeRules(status).map((line) => `${line}\n`),
    ...attention(status).map((line) => `${line}\n`),
    '\n',
    formatTable(COLUMNS, rows, { isTty }),
  ].join('');
}

function describeRules({ rules: { segments, hot, short } }: StatusAnswer): string[] {
  const lines: string[] = [];
  if (segments > 0 || hot > 0) {
    const raised = hot === 0 ? '' : `; ${String(hot)} have more copies while they are read so much`;
    lines.push(`rules: ${String(segments)} segments have copies or a tier of their own${raised}; trough rule list`);
  }
  for (const { segment, copies, placed } of short)
    lines.push(
      `too few nodes: ${segment} is to have ${String(copies)} copies, and there are nodes for ${String(placed)}`,
    );
  return lines;
}

function stateOf({ state, drain }: NodeStatus): string {
  return drain === null ? state : `${state}, ${drain.state === 'waiting' ? 'drain waits' : drain.state}`;
}

/** What is under way, and what an operator may have to do something about; nothing while all is well. */
function attention({ nodes, placement, metadataLost }: StatusAnswer): string[] {
  const { slotsUnderReplicated, moves, waiting, leftMs, overQuota } = placement;
  const toFetch = nodes.reduce((sum, { pending }) => sum + pending, 0);
  const lines: string[] = [];
  if (metadataLost === true)
    lines.push('the metadata was lost: nothing is granted, placed or deleted until you run trough rebuild');
  if (slotsUnderReplicated > 0)
    lines.push(`under-replicated: ${String(slotsUnderReplicated)} slots have fewer copies in service than they should`);
  if (moves > 0 || toFetch > 0) {
    const bytes = nodes.reduce((sum, { pendingBytes }) => sum + pendingBytes, 0);
    const left = leftMs === null ? '' : `, about ${roughTime(leftMs)} left`;
    lines.push(
      `moves: ${String(moves)} places change their node; ${String(toFetch)} copies (${roughByteSize(bytes)}) to fetch${left}`,
    );
  }
  if (waiting > 0) lines.push(`waiting: ${String(waiting)} more places change their node after those`);
  for (const { node, damaged } of nodes) {
    if (damaged > 0) lines.push(`damaged: ${String(damaged)} copies on ${node} are missing or wrong, and are replaced`);
  }
  for (const { node, unfetchable } of nodes) {
    if (unfetchable === null) continue;
    const { copies, segment, code } = unfetchable;
    lines.push(
      `missing: ${String(copies)} copies cannot be fetched to ${node}, such as ${segment} (${code}); trough where ${segment}`,
    );
  }
  for (const { node, lostFiles } of nodes) {
    if (lostFiles > 0)
      lines.push(`lost+found: ${String(lostFiles)} files on ${node} that nobody asked for; trough status ${node}`);
  }
  for (const { node, drain } of nodes) {
    if (drain?.state === 'waiting')
      lines.push(`drain of ${node} waits: segments would have fewer copies without it; add a node, or lower 'copies'`);
  }
  for (const { node, plannedBytes, quotaBytes } of overQuota) {
    lines.push(
      `over quota: ${node} is to hold ${roughByteSize(plannedBytes)} of ${roughByteSize(quotaBytes)}; add nodes, or raise quotas`,
    );
  }
  return lines;
}

function describeLost({ lost }: StatusAnswer, isTty: boolean): string {
  if (lost === undefined) return '';
  if (lost.files.length === 0) return '\nlost+found is empty\n';
  const day = (ms: number | null): string => (ms === null ? '-' : new Date(ms).toISOString().slice(0, 16));
  const rows = lost.files.map(({ file, sizeBytes, foundMs, goesMs }) => [
    file,
    roughByteSize(sizeBytes),
    day(foundMs),
    day(goesMs),
  ]);
  const more = lost.more > 0 ? `and ${String(lost.more)} more\n` : '';
  return `\n${formatTable(['in lost+found', 'bytes', 'found', 'deleted after'], rows, { isTty })}${more}`;
}
