import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { natsCluster } from '../support/nats-cluster.ts';
import { natsServer } from '../support/nats-server.ts';
import { descendants } from '../support/process-tree.ts';
import { mayMountDisks, type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { trough, type TroughRun } from '../support/trough-process.ts';
import { type Door } from './door.ts';

/** A nats-server that can be killed. */
export interface Server {
  readonly name: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** One real node, from start to start on the same directory. */
export interface HistoryNode {
  readonly name: string;
  /** Of its own, small; undefined: it lies with the others, where nothing may be filled up. */
  readonly disk: SmallDisk | undefined;
  run: (TroughRun & AsyncDisposable) | undefined;
  /** Somebody does something to it now. */
  busy: boolean;
}

export interface ClusterOptions {
  readonly servers: 1 | 3;
  readonly nodes: number;
  /** For data, cold storage and logs. */
  readonly directory: string;
}

const DISK_MIB = 256;
/** It must fill up within a run, and be promoted away in time. */
const ARGS = ['--journal', 'nats', '--log-level', 'info', '--promote-size', '1MiB', '--evict-after', '5s'];

/** Real nodes on one nats-server or three, in temporary directories; the last node on a small disk of its own where the machine allows that. */
export class HistoryCluster implements AsyncDisposable {
  readonly nodes: readonly HistoryNode[];
  readonly servers: readonly Server[];
  readonly #options: ClusterOptions;
  readonly #urls: readonly string[];
  readonly #stack: AsyncDisposableStack;

  static async start(options: ClusterOptions): Promise<HistoryCluster> {
    await using stack = new AsyncDisposableStack();
    await mkdir(join(options.directory, 'logs'), { recursive: true });
    const { servers, urls } = await startServers(options.servers, stack);
    const nodes: HistoryNode[] = [];
    for (let index = 1; index <= options.nodes; index += 1) {
      const isLast = index === options.nodes;
      const disk = isLast && (await mayMountDisks()) ? stack.use(await smallDisk(DISK_MIB)) : undefined;
      nodes.push({ name: `n${String(index)}`, disk, run: undefined, busy: false });
    }
    const cluster = new HistoryCluster(options, { nodes, servers, urls }, stack.move());
    try {
      for (const node of nodes) await cluster.startNode(node);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  private constructor(
    options: ClusterOptions,
    parts: { nodes: readonly HistoryNode[]; servers: readonly Server[]; urls: readonly string[] },
    stack: AsyncDisposableStack,
  ) {
    this.#options = options;
    this.nodes = parts.nodes;
    this.servers = parts.servers;
    this.#urls = parts.urls;
    this.#stack = stack;
  }

  /** Of the nodes that run, paused ones too. */
  readonly doors = (): readonly Door[] =>
    this.nodes.flatMap(({ name, run }) => {
      if (run === undefined) return [];
      const { read = '', write = '', syncMaster = '' } = run.ready.urls;
      return [{ node: name, read, write, manager: syncMaster }];
    });

  async startNode(node: HistoryNode): Promise<void> {
    const { directory } = this.#options;
    const data = join(node.disk?.path ?? directory, node.name);
    const args = ['--nats', this.#urls.join(','), '--cold', join(directory, 'cold'), ...ARGS];
    node.run = await trough({ data, node: node.name, args });
  }

  /** It is no door any more from now on. Resolves when the process has ended, with how. */
  async endNode(node: HistoryNode, signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    const { run } = node;
    if (run === undefined) return 'it does not run';
    if (signal === 'SIGKILL') node.run = undefined;
    run.kill(signal);
    const end = await run.ended;
    node.run = undefined;
    await this.#keepLog(node, run);
    return `code ${String(end.code)}, signal ${String(end.signal)}`;
  }

  /** The process, or with those that do its work for it, as a machine that stands still. */
  async pauseNode({ run }: HistoryNode, whole: boolean): Promise<() => void> {
    if (run === undefined) return () => undefined;
    const pids = [run.pid, ...(whole ? (await descendants(run.pid)).map(({ pid }) => pid) : [])];
    for (const pid of pids) signalIfThere(pid, 'SIGSTOP');
    return () => {
      for (const pid of pids) signalIfThere(pid, 'SIGCONT');
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Servers and disks go last: a node ends in good order only while it has them.
    await Promise.all(this.nodes.map((node) => this.endNode(node, 'SIGTERM')));
    await this.#stack[Symbol.asyncDispose]();
  }

  async #keepLog({ name }: HistoryNode, run: TroughRun): Promise<void> {
    await appendFile(join(this.#options.directory, 'logs', `${name}.log`), run.log());
  }
}

async function startServers(
  count: 1 | 3,
  stack: AsyncDisposableStack,
): Promise<{ servers: readonly Server[]; urls: readonly string[] }> {
  if (count === 1) {
    const server = stack.use(await natsServer());
    const only = { name: 'nats', kill: () => server.kill(), restart: () => server.restart() };
    return { servers: [only], urls: [server.url] };
  }
  const cluster = stack.use(await natsCluster());
  return { servers: cluster.members, urls: cluster.urls };
}

function signalIfThere(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
