import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { clusterStatus, promote, provision, readFrom, release, writeTo } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { threeNodes } from '../support/three-nodes.ts';
import { clientEnv, type TroughRun, verb } from '../support/trough-process.ts';

const SEGMENTS = Array.from({ length: 24 }, (_, index) => `station-${String(index)}`);
/** These stay open for writing. */
const OPEN = SEGMENTS.slice(0, 6);
const LONG_MS = 90_000;
/** Moves go in steps, each of which every node has to confirm. */
const TEST_MS = 300_000;

interface Where {
  readonly lease: { readonly state: string };
  readonly nodes: readonly { readonly node: string; readonly served: boolean; readonly why: string }[];
}

test(
  'a node is drained and brought back while everything is read: no read fails, its copies go and come again',
  async () => {
    await using cluster = await threeNodes('--copies', '2', '--evict-after', '2s');
    const [first, second, third] = cluster.nodes;
    await fill(first);
    const before = await clusterStatus(first);
    expect(before.nodes.find(({ node }) => node === 'n3')?.copies).toBeGreaterThan(0);
    expect(before.nodes.find(({ node }) => node === 'n3')?.leases).toBeGreaterThan(0);

    const planned = await verb(['plan', '--without', 'n3', '--dry-run'], { env: clientEnv(first) });
    expect(planned.stdout).toMatch(/places in \d+ slots would move: [1-9]\d* copies/);

    const load = readAll([first, second, third]);
    expect((await verb(['drain', 'n3'], { env: clientEnv(second) })).stdout).toMatch(/^n3 is being drained/);
    await eventually('n3 is empty', () => isDrained(first), LONG_MS);
    const drained = await clusterStatus(first);
    expect(drained.nodes.map(({ node, copies, leases }) => [node, copies, node === 'n3' ? leases : 0])).toEqual([
      ['n1', SEGMENTS.length, 0],
      ['n2', SEGMENTS.length, 0],
      ['n3', 0, 0],
    ]);
    expect((await verb(['status'], { env: clientEnv(first) })).stdout).toMatch(/n3 +default +alive, drained/);
    for (const segment of [SEGMENTS[0] ?? '', SEGMENTS.at(-1) ?? '']) {
      const { nodes } = await where(first, segment);
      expect(nodes.map(({ node }) => node).sort()).toEqual(['n1', 'n2']);
    }

    expect((await verb(['undrain', 'n3'], { env: clientEnv(first) })).stdout).toBe('n3 gets its share again\n');
    await eventually(
      'every node has about its share',
      async () => (await sharesOf(first)).every(isAboutAShare),
      LONG_MS,
    );
    const { nodes } = await where(first, SEGMENTS.at(-1) ?? '');
    expect(nodes.filter(({ served }) => served)).toHaveLength(2);
    const { reads, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(reads).toBeGreaterThan(SEGMENTS.length * 3);
  },
  TEST_MS,
);

/** Two copies of each, on nodes that serve. */
async function fill(node: TroughRun): Promise<void> {
  for (const [index, segment] of SEGMENTS.entries()) {
    const { writeUrl } = await provision(node, segment);
    await writeTo(writeUrl, `create table t (a); insert into t values (${String(index)})`);
    if (OPEN.includes(segment)) await promote(node, segment);
    else await release(node, segment);
  }
  await eventually(
    'two copies of each',
    async () => (await sharesOf(node)).reduce((sum, copies) => sum + copies, 0) === 2 * SEGMENTS.length,
    LONG_MS,
  );
}

async function isDrained(node: TroughRun): Promise<boolean> {
  return (await clusterStatus(node)).nodes.some(({ drain }) => drain?.state === 'drained');
}

async function sharesOf(node: TroughRun): Promise<number[]> {
  const { nodes } = await clusterStatus(node);
  return nodes.every(({ pending }) => pending === 0) ? nodes.map(({ copies }) => copies) : [];
}

/** Of three nodes and two copies each holds two thirds, of slots; so few segments are not spread as evenly. */
function isAboutAShare(copies: number): boolean {
  return copies >= SEGMENTS.length / 3 && copies < SEGMENTS.length;
}

async function where(node: TroughRun, segment: string): Promise<Where> {
  const { stdout } = await verb(['where', segment, '--json'], { env: clientEnv(node) });
  return JSON.parse(stdout) as Where;
}

/** Reads one segment after the other through one node after the other, some fifty in a second. */
function readAll(nodes: readonly TroughRun[]): { stop: () => Promise<{ reads: number; failures: string[] }> } {
  const stopping = new AbortController();
  const failures: string[] = [];
  let reads = 0;
  const running = (async (): Promise<void> => {
    for (; !stopping.signal.aborted; reads += 1) {
      const index = reads % SEGMENTS.length;
      const node = nodes[Math.trunc(reads / SEGMENTS.length) % nodes.length] as TroughRun;
      try {
        expect(await readFrom(node, SEGMENTS[index] ?? '', 'select a from t')).toEqual([{ a: index }]);
      } catch (error) {
        failures.push(`${SEGMENTS[index] ?? ''} through ${node.ready.node}: ${String(error)}`);
      }
      await pause(20);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return { reads, failures };
    },
  };
}
