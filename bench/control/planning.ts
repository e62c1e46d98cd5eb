import { parseNodeId } from '../../src/model/node-id.ts';
import { movedBetween, type Placement, type PlacementNode } from '../../src/model/placement.ts';
import { loadsOf } from '../../src/model/placement-load.ts';
import { plan, type SlotBytes } from '../../src/model/placement-plan.ts';
import { Rendezvous } from '../../src/model/rendezvous.ts';
import { SLOT_COUNT } from '../../src/model/slot.ts';
import { seeded } from '../support/random.ts';
import { median } from '../support/samples.ts';

const NODES = 100;
const COPIES = 3;
const LIMIT_MS = 1_000;
const alike: SlotBytes = Array.from({ length: COPIES }, () => new Float64Array(SLOT_COUNT).fill(1));

/** The lines of the report, and whether the program kept within a second. */
export interface Planning {
  readonly lines: readonly string[];
  readonly failures: readonly string[];
}

/**
 * `plan()` for 16,384 slots, 100 nodes in ten zones, 3 copies. The baseline is weighted rendezvous hashing alone: for each slot the three nodes
 * with the lowest cost, neither balanced nor spread over zones.
 */
export function measurePlanning(rounds: number): Planning {
  const nodes = Array.from({ length: NODES }, (_, index): PlacementNode => {
    const number = String(index).padStart(3, '0');
    return {
      node: parseNodeId(`n${number}`),
      zone: `z${String(index % 10)}`,
      quotaBytes: (index % 4 === 0 ? 8 : 4) * 1e12,
    };
  });
  const policy = { copies: COPIES };
  const first = plan(undefined, nodes, undefined, policy);
  const lost = nodes.slice(1);
  const more: PlacementNode[] = [...nodes, { node: parseNodeId('n100'), zone: 'z0', quotaBytes: 4e12 }];
  const random = seeded(7);
  const bytes = Float64Array.from({ length: SLOT_COUNT }, () => 1e10 * random() ** 4);
  const slotBytes = [bytes, bytes, bytes.map((one) => one / 10)];
  const cases: readonly (readonly [string, () => Placement])[] = [
    ['from nothing', () => plan(undefined, nodes, undefined, policy)],
    ['from nothing, bytes known', () => plan(undefined, nodes, slotBytes, policy)],
    ['again, nothing changed', () => plan(first, nodes, undefined, policy)],
    ['one node lost', () => plan(first, lost, undefined, policy)],
    ['one node more', () => plan(first, more, undefined, policy)],
    ['bytes become known', () => plan(first, nodes, slotBytes, policy)],
  ];
  const failures: string[] = [];
  const baseline = timeOf(rounds, () => plainRendezvous(nodes));
  const lines = [
    `plan(): ${SLOT_COUNT.toLocaleString('en-US')} slots, ${String(NODES)} nodes of two sizes in ten zones, ${String(COPIES)} copies; medians of ${String(rounds)} rounds`,
    row('rendezvous hashing alone', baseline, plainRendezvous(nodes), undefined, nodes),
  ];
  for (const [name, make] of cases) {
    const ms = timeOf(rounds, make);
    lines.push(row(name, ms, make(), first, nodes));
    if (ms >= LIMIT_MS) failures.push(`plan() ${name}: ${ms.toFixed(0)} ms; a second is allowed`);
  }
  return { lines, failures };
}

function timeOf(rounds: number, work: () => unknown): number {
  return median(
    Array.from({ length: rounds }, () => {
      const before = performance.now();
      work();
      return performance.now() - before;
    }),
  );
}

function row(
  name: string,
  ms: number,
  made: Placement,
  before: Placement | undefined,
  nodes: readonly PlacementNode[],
): string {
  const moved =
    before === undefined ? '' : `; ${percent(movedBetween(before, made) / made.table.length)} of the places moved`;
  return `  ${name.padEnd(28)}${ms.toFixed(0).padStart(5)} ms; places ${percent(imbalance(made, nodes))} from the quota ratio at most${moved}`;
}

function imbalance(placement: Placement, nodes: readonly PlacementNode[]): number {
  const known = nodes.filter(({ node }) => placement.nodes.includes(node));
  const quota = known.reduce((sum, { quotaBytes }) => sum + quotaBytes, 0);
  const loads = new Map(loadsOf(placement, alike).map(({ node, places }) => [node, places]));
  const off = known.map(
    ({ node, quotaBytes }) => (loads.get(node) ?? 0) / ((placement.table.length * quotaBytes) / quota) - 1,
  );
  return Math.max(...off.map(Math.abs));
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)} %`;
}

function plainRendezvous(nodes: readonly PlacementNode[]): Placement {
  const hashing = new Rendezvous(
    nodes.map(({ node }) => node),
    nodes.map(({ quotaBytes }) => quotaBytes),
  );
  const table = new Uint16Array(SLOT_COUNT * COPIES);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const ranked = nodes
      .map((_, index) => ({ index, cost: hashing.cost(index, slot) }))
      .sort((a, b) => a.cost - b.cost);
    for (let rank = 0; rank < COPIES; rank += 1) table[slot * COPIES + rank] = ranked[rank]?.index ?? 0;
  }
  return { nodes: nodes.map(({ node }) => node), ranks: COPIES, table };
}
