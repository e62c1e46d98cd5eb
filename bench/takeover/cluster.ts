import { clusterStatus, nodesAlive } from '../../test/support/api.ts';
import { clusterNode } from '../../test/support/cluster-node.ts';
import { eventually } from '../../test/support/eventually.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { type TroughRun } from '../../test/support/trough-process.ts';

type Run = TroughRun & AsyncDisposable;

/** Real nodes that come and go, on NATS servers that somebody else keeps. */
export interface TakeoverCluster extends AsyncDisposable {
  /** Those that run. */
  readonly nodes: () => readonly TroughRun[];
  start(name: string, ...flags: readonly string[]): Promise<void>;
  /** Resolves when the process is gone. */
  end(name: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Open segments of each node, as the leader knows it. */
  leases(): Promise<ReadonlyMap<string, number>>;
}

const LONG_MS = 120_000;

export async function takeoverCluster(natsUrl: string): Promise<TakeoverCluster> {
  const dir = await tempDir();
  const startNode = clusterNode({ url: natsUrl }, dir, ['--journal', 'nats', '--log-level', 'warn']);
  const runs = new Map<string, Run>();
  const nodes = (): readonly TroughRun[] => [...runs.values()];
  return {
    nodes,
    start: async (name, ...flags) => {
      runs.set(name, await startNode(name, ...flags));
      await allAlive(nodes());
    },
    end: async (name, signal) => {
      const run = runs.get(name);
      // It can be written to until it has ended, when it is asked to.
      if (signal === 'SIGKILL') runs.delete(name);
      run?.kill(signal);
      await run?.ended;
      runs.delete(name);
    },
    leases: async () => {
      const [node] = nodes();
      if (node === undefined) return new Map();
      return new Map((await clusterStatus(node)).nodes.map(({ node: name, leases }) => [name, leases]));
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...runs.values()].map((run) => run[Symbol.asyncDispose]()));
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function allAlive(nodes: readonly TroughRun[]): Promise<void> {
  const [first] = nodes;
  if (first === undefined) return;
  await eventually(
    'a leader that knows all nodes',
    () =>
      nodesAlive(first, nodes.length)
        .then(() => true)
        .catch(() => false),
    LONG_MS,
  );
}
