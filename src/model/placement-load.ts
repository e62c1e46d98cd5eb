import { type NodeId } from './node-id.ts';
import { NO_NODE, type Placement } from './placement.ts';
import { type SlotBytes } from './placement-plan.ts';

/** What a placement gives one node. */
export interface NodeLoad {
  readonly node: NodeId;
  /** (slot, rank) places. */
  readonly places: number;
  readonly bytes: number;
}

/** One for each node of the placement, in its order. `slotBytes` as `plan` takes it. */
export function loadsOf({ nodes, ranks, table }: Placement, slotBytes: SlotBytes): NodeLoad[] {
  const loads = nodes.map((node) => ({ node, places: 0, bytes: 0 }));
  table.forEach((index, at) => {
    const load = index === NO_NODE ? undefined : loads[index];
    if (load === undefined) return;
    load.places += 1;
    load.bytes += slotBytes[at % ranks]?.[Math.trunc(at / ranks)] ?? 0;
  });
  return loads;
}

/** The nodes that the placement gives more bytes than their quota. A plan always ends; when nothing fits any more, this says so of everybody. */
export function overQuota(
  loads: readonly NodeLoad[],
  nodes: readonly { readonly node: string; readonly quotaBytes: number }[],
): NodeLoad[] {
  const quotas = new Map<string, number>(nodes.map(({ node, quotaBytes }) => [node, quotaBytes]));
  return loads.filter(({ node, bytes }) => bytes > (quotas.get(node) ?? 0));
}
