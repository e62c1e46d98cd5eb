import { eventually } from './eventually.ts';
import { type TroughRun } from './trough-process.ts';

const AT_A_TIME = 32;

/** Small calls to a running trough, as a client would make them. Each fails loudly unless the answer is 2xx. */
export async function provision({ ready }: TroughRun, segment: string): Promise<{ node: string; writeUrl: string }> {
  const url = new URL(`v1/segments/${encodeURIComponent(segment)}/provision`, ready.urls.syncMaster);
  return (await call(url, { method: 'POST' })) as { node: string; writeUrl: string };
}

/** Opens them for writing and runs `sql` on each, some at a time. The node that holds each. */
export async function provisionAll(
  run: TroughRun,
  segments: readonly string[],
  sql: string,
): Promise<ReadonlyMap<string, string>> {
  const holders = new Map<string, string>();
  const left = segments.values();
  const work = async (): Promise<void> => {
    for (const segment of left) {
      const { node, writeUrl } = await provision(run, segment);
      holders.set(segment, node);
      await writeTo(writeUrl, sql);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return holders;
}

export async function promote({ ready }: TroughRun, segment: string): Promise<{ version: number }> {
  const url = new URL(`v1/segments/${encodeURIComponent(segment)}/promote`, ready.urls.syncMaster);
  return (await call(url, { method: 'POST' })) as { version: number };
}

export async function release({ ready }: TroughRun, segment: string): Promise<void> {
  const url = new URL(`v1/segments/${encodeURIComponent(segment)}/release`, ready.urls.syncMaster);
  await call(url, { method: 'POST' });
}

/** Resolves when the other node writes to it. */
export async function moveWriter({ ready }: TroughRun, segment: string, node: string): Promise<void> {
  const url = new URL(`v1/segments/${encodeURIComponent(segment)}/move-writer`, ready.urls.syncMaster);
  await call(url, { method: 'POST', body: JSON.stringify({ node }) });
}

/** By the original's write port. */
export async function writeTo(writeUrl: string, sql: string): Promise<void> {
  const answer = await fetch(writeUrl, { method: 'POST', body: sql });
  const text = await answer.text();
  if (text !== 'OK\n') throw new Error(`${String(answer.status)} ${text}`);
}

/** By the original's read port: the rows. */
export async function readFrom({ ready }: TroughRun, segment: string, sql: string): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${ready.urls.read ?? ''}?segment=${encodeURIComponent(segment)}`, {
    method: 'POST',
    body: sql,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${String(answer.status)} ${text}`);
  return JSON.parse(text) as Record<string, unknown>[];
}

export interface ClusterStatus {
  readonly leader: { readonly node: string } | null;
  readonly nodes: readonly {
    readonly node: string;
    readonly state: string;
    readonly copies: number;
    readonly pending: number;
    readonly leases: number;
    readonly beatAgeMs: number | null;
    readonly damaged: number;
    readonly drain: { readonly state: string } | null;
  }[];
  readonly segments: { readonly hot: number; readonly cold: number; readonly writable: number };
  readonly placement: {
    readonly epoch: number;
    readonly slotsUnderReplicated: number;
    readonly moves: number;
    readonly waiting: number;
  };
}

export async function clusterStatus({ ready }: TroughRun): Promise<ClusterStatus> {
  return (await call(new URL('v1/status', ready.urls.syncMaster))) as ClusterStatus;
}

/** Waits until the leader counts so many nodes as alive. */
export async function nodesAlive(node: TroughRun, count: number): Promise<void> {
  const alive = async (): Promise<number> =>
    (await clusterStatus(node)).nodes.filter(({ state }) => state === 'alive').length;
  await eventually(`${String(count)} nodes alive`, async () => (await alive()) === count);
}

async function call(url: URL, init: RequestInit = {}): Promise<unknown> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url.pathname}: ${String(answer.status)} ${text}`);
  return JSON.parse(text);
}
