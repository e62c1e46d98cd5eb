import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { coldPath } from '../../src/model/cold-path.ts';
import { dataPaths } from '../../src/model/paths.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type ClusterStatus, clusterStatus, nodesAlive } from './api.ts';
import { natsServer } from './nats-server.ts';
import { type ReadFigures, ReadLoad } from './read-load.ts';
import { tempDir } from './temp-dir.ts';
import { trough, type TroughRun } from './trough-process.ts';

export interface NodeLossOptions {
  readonly segments: number;
  readonly readsPerSecond: number;
  /** Of one step of the story. */
  readonly withinMs: number;
  /** Further flags of the nodes. */
  readonly args?: readonly string[];
  readonly say?: (line: string) => void;
}

/** What was seen while one of five nodes died, came back, and a sixth joined. Times in ms. */
export interface NodeLossFigures {
  readonly reads: ReadFigures;
  /** From the start of the first node until each segment had its two copies. */
  readonly filledMs: number;
  /** From the kill until each segment had two copies again, on the four that were left. */
  readonly healedMs: number;
  /** From its start until the node that had died had its share again; and how many of its copies it fetched for that. */
  readonly returnedMs: number;
  readonly returnedFetched: number;
  /** From its start until the sixth had its share. */
  readonly joinedMs: number;
  /** Copies that came to be on a node where they were not before, while the sixth joined; to it, and to others. */
  readonly moved: { readonly toTheSixth: number; readonly toOthers: number };
}

const COPIES = 2;
const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
/** A dead node's copies are made anew after this; ten seconds are needed to know that it is dead. */
const REBUILD_AFTER = '15s';
const SETTLE_MS = 3_000;
const POLL_MS = 250;
const PLACEHOLDER = 'its own name';

type Run = TroughRun & AsyncDisposable;

/** Five nodes with two copies of each segment and a client that reads without a pause: the one that leads is killed and comes back, then a sixth is added. */
export async function nodeLossStory(options: NodeLossOptions): Promise<NodeLossFigures> {
  const { withinMs, say = () => undefined } = options;
  await using nats = await natsServer();
  await using dir = await tempDir();
  await using stack = new AsyncDisposableStack();
  const ids = Array.from({ length: options.segments }, (_, index) => `crawl-${String(index).padStart(6, '0')}`);
  putIntoColdStorage(join(dir.path, 'cold'), ids);
  const dataOf = (node: string): string => join(dir.path, node);
  const start = async (node: string): Promise<Run> => {
    const args = ['--nats', nats.url, '--cold', join(dir.path, 'cold'), '--copies', String(COPIES)];
    const more = ['--rebuild-after', REBUILD_AFTER, '--log-level', 'warn', ...(options.args ?? [])];
    return stack.use(await trough({ data: dataOf(node), node, args: [...args, ...more] }));
  };
  const copies = COPIES * ids.length;
  /** What the client knows, and those of them that run. */
  let nodes: Run[] = [];
  let running: readonly Run[] = [];
  let epoch = 0;
  const timed = async (what: string, step: () => Promise<void>): Promise<number> => {
    const startedAt = systemClock.monotonic();
    await step();
    const ms = systemClock.monotonic() - startedAt;
    epoch = (await clusterStatus(running[0] as Run)).placement.epoch;
    say(`${what}: ${(ms / 1_000).toFixed(1)} s`);
    return ms;
  };

  const filledMs = await timed(`two copies of ${String(ids.length)} segments on five nodes`, async () => {
    running = nodes = await Promise.all(NODES.map(start));
    await nodesAlive(nodes[0] as Run, NODES.length);
    await settled(nodes, copies, withinMs, epoch);
  });
  await using load = new ReadLoad({
    perSecond: options.readsPerSecond,
    nodes: () => nodes,
    segments: shuffled(ids),
    sql: 'select name from t',
    answer: (segment) => `[{"name":"${segment}"}]`,
  });
  await pause(SETTLE_MS);

  const leader = (await clusterStatus(nodes[0] as Run)).leader?.node ?? '';
  const killed = nodes.findIndex(({ ready }) => ready.node === leader);
  running = nodes.filter((_, index) => index !== killed);
  const healedMs = await timed(`kill -9 of ${leader}, which led: two copies of each again`, async () => {
    nodes[killed]?.kill('SIGKILL');
    await nodes[killed]?.ended;
    await settled(running, copies, withinMs, epoch);
  });

  const before = copiesOn(dataOf(leader));
  const returnedMs = await timed(`${leader} is back and has its share`, async () => {
    const back = await start(leader);
    running = nodes = nodes.map((node, index) => (index === killed ? back : node));
    await settled(nodes, copies, withinMs, epoch);
  });
  const returnedFetched = arrivals(before, copiesOn(dataOf(leader)));

  const five = new Map(NODES.map((node) => [node, copiesOn(dataOf(node))]));
  const joinedMs = await timed('a sixth node has its share', async () => {
    running = nodes = [...nodes, await start('n6')];
    await settled(nodes, copies, withinMs, epoch);
  });
  const reads = await load.stop();
  const toOthers = NODES.reduce((sum, node) => sum + arrivals(five.get(node), copiesOn(dataOf(node))), 0);
  const moved = { toTheSixth: copiesOn(dataOf('n6')).size, toOthers };
  return { reads, filledMs, healedMs, returnedMs, returnedFetched, joinedMs, moved };
}

/** Until a later placement is in force on these nodes and they have all the copies that it names. Else the error says how far they are. */
async function settled(nodes: readonly TroughRun[], copies: number, withinMs: number, epoch: number): Promise<void> {
  const names = nodes.map(({ ready }) => ready.node);
  const missing = ({ nodes: all, placement }: ClusterStatus): string => {
    const own = all.filter(({ node }) => names.includes(node));
    const stored = own.reduce((sum, node) => sum + node.copies, 0);
    const isCalm = own.every((node) => node.state === 'alive' && node.pending === 0 && node.copies > 0);
    const onTheWay = placement.slotsUnderReplicated + placement.moves + placement.waiting;
    const isPlaced = own.length === names.length && placement.epoch > epoch && onTheWay === 0;
    // Those that are no longer asked for stay for a while.
    if (isPlaced && isCalm && stored >= copies) return '';
    const shown = own.map((node) => `${node.node} ${node.state} ${String(node.copies)} + ${String(node.pending)}`);
    return `${String(stored)} of ${String(copies)} copies: ${shown.join(', ')}; ${JSON.stringify(placement)}`;
  };
  const deadline = systemClock.monotonic() + withinMs;
  for (;;) {
    // There is no leader to ask for a while.
    const status = await clusterStatus(nodes[0] as TroughRun).catch((error: unknown) => error as Error);
    const left = status instanceof Error ? status.message : missing(status);
    if (left === '') return;
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${String(withinMs)} ms: ${left}`);
    await pause(POLL_MS);
  }
}

/** Each with its name in it. Made by hand, since so many databases take their time: the name is written over its place in one of them. */
function putIntoColdStorage(root: string, ids: readonly string[]): void {
  mkdirSync(join(root, '.trough-tmp'), { recursive: true });
  const template = join(root, '..', 'template.sqlite');
  const database = new Database(template);
  database.exec(`create table t (name); insert into t values ('${PLACEHOLDER}')`);
  database.close();
  const content = readFileSync(template);
  const at = content.indexOf(PLACEHOLDER);
  for (const id of ids) {
    const path = join(root, coldPath(parseSegmentId(id)));
    mkdirSync(dirname(path), { recursive: true });
    content.write(id, at, 'latin1');
    writeFileSync(path, content);
  }
}

/** The files of a node's copies: name → inode. */
function copiesOn(data: string): ReadonlyMap<string, number> {
  const files = readdirSync(dataPaths(data).copiesDir, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile() && !file.name.startsWith('.'))
      .map((file) => [file.name, statSync(join(file.parentPath, file.name)).ino]),
  );
}

/** Files that were not there before, or are others than those. */
function arrivals(before: ReadonlyMap<string, number> | undefined, now: ReadonlyMap<string, number>): number {
  return Array.from(now).filter(([name, inode]) => before?.get(name) !== inode).length;
}

/** So that reads that follow each other go to many slots; the same each time. */
function shuffled(ids: readonly string[]): readonly string[] {
  const step = 7_919;
  return ids.map((_, index) => ids[(index * step) % ids.length] ?? '');
}
