import { placementMembers } from '../actors/leader/placement-members.ts';
import { TroughError } from '../errors.ts';
import { type PlanAnswer, type PlanNode, type PlanRequest } from '../messages/control.ts';
import { roughByteSize } from '../model/byte-size.ts';
import { parseNodeId } from '../model/node-id.ts';
import { NO_NODE, type Placement, type PlacementNode } from '../model/placement.ts';
import { loadsOf, type NodeLoad, overQuota } from '../model/placement-load.ts';
import { plan } from '../model/placement-plan.ts';
import { SLOT_COUNT } from '../model/slot.ts';
import { type SlotSums } from '../model/slot-sums.ts';
import { ASSUMED_RATE, transferMs, type TransferRate } from '../model/transfer-time.ts';
import { memberOptions, withExtra } from './leader-status.ts';
import { type NodeContext } from './node-context.ts';

type Context = Pick<NodeContext, 'view' | 'placement' | 'settings' | 'mostCopies'>;

interface Gain {
  places: number;
  copies: number;
  bytes: number;
}

const NOBODY: Placement = { nodes: [], ranks: 0, table: new Uint16Array() };

/** What would move, by the very function that the placer plans with. NODE_UNKNOWN for a node that copies are not on now. */
export function answerPlan(
  context: Context,
  request: PlanRequest,
  sums: SlotSums,
  extra: ReadonlyMap<string, number> = new Map(),
): PlanAnswer {
  const before = context.placement.document?.target ?? NOBODY;
  const present = placementMembers(context.view, memberOptions(context)).nodes;
  const next = changedNodes(present, request, before);
  const after = plan(before.ranks === 0 ? undefined : before, next, sums.weightsByRank(context.mostCopies), {
    copies: context.mostCopies,
  });
  const ranks = Math.max(before.ranks, after.ranks);
  const bytes = sums.bytesByRank(ranks);
  const { gains, moves } = compare(before, after, bytes, sums.copiesByRank(ranks));
  const rate = rateOf(context);
  const loads = {
    before: withExtra(loadsOf(before, bytes), extra),
    after: withExtra(loadsOf(after, bytes), extra),
  };
  const full = new Set(overQuota(loads.after, next).map(({ node }): string => node));
  const known = new Map([...present, ...next].map((node) => [node.node as string, node]));
  const nodes = Array.from(known.values(), ({ node, zone, quotaBytes }): PlanNode => {
    const gain = gains.get(node) ?? { places: 0, copies: 0, bytes: 0 };
    const [had, has] = [find(loads.before, node), find(loads.after, node)];
    return {
      ...{ node, zone, quotaBytes },
      places: { before: had.places, after: has.places },
      bytes: { before: had.bytes, after: has.bytes },
      gains: gain,
      ms: gain.copies === 0 ? null : transferMs(gain.copies, gain.bytes, rate),
      overQuota: full.has(node),
    };
  }).sort((a, b) => (a.node < b.node ? -1 : 1));
  const ms = Math.max(0, ...nodes.map((node) => node.ms ?? 0));
  const notes = [...notesOf(context, before, after, full), ...notesOfRules(request, extra)];
  return { nodes, moves, ms, rate, notes };
}

function changedNodes(present: readonly PlacementNode[], request: PlanRequest, before: Placement): PlacementNode[] {
  for (const name of request.without) {
    if (!present.some(({ node }) => node === name) && !before.nodes.some((node) => node === name))
      throw new TroughError('NODE_UNKNOWN', `no copies are placed on a node '${name}'`, { node: name });
  }
  for (const { node } of request.with) {
    if (present.some((one) => one.node === node) && !request.without.includes(node))
      throw new TroughError('REQUEST_INVALID', `'${node}' is there already: plan it without, and with its new quota`, {
        node,
      });
  }
  const added = request.with.map(({ node, quotaBytes, zone }) => ({ node: parseNodeId(node), quotaBytes, zone }));
  return [...present.filter(({ node }) => !request.without.includes(node)), ...added];
}

/** What each node has to fetch: the segments that it does not hold by the placement before. */
function compare(
  before: Placement,
  after: Placement,
  bytes: readonly Float64Array[],
  copies: readonly Float64Array[],
): { gains: Map<string, Gain>; moves: PlanAnswer['moves'] } {
  const gains = new Map<string, Gain>();
  const all = { places: 0, slots: 0, copies: 0, bytes: 0 };
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    let isTouched = false;
    for (let rank = 0; rank < after.ranks; rank += 1) {
      const node = after.nodes[after.table[slot * after.ranks + rank] ?? NO_NODE];
      if (node === undefined) continue;
      const had = rankOf(before, slot, node);
      if (had === rank) continue;
      isTouched = true;
      // At another rank it held a part of what it is to hold, or all of it.
      const missing = (table: readonly Float64Array[]): number =>
        Math.max(0, (table[rank]?.[slot] ?? 0) - (had === undefined ? 0 : (table[had]?.[slot] ?? 0)));
      const gain = gains.get(node) ?? { places: 0, copies: 0, bytes: 0 };
      gains.set(node, gain);
      for (const sum of [gain, all]) {
        sum.places += 1;
        sum.copies += missing(copies);
        sum.bytes += missing(bytes);
      }
    }
    if (isTouched) all.slots += 1;
  }
  return { gains, moves: all };
}

function rankOf({ nodes, ranks, table }: Placement, slot: number, name: string): number | undefined {
  for (let rank = 0; rank < ranks; rank += 1) {
    if (nodes[table[slot * ranks + rank] ?? NO_NODE] === name) return rank;
  }
  return undefined;
}

/** The slowest of what the nodes saw themselves: a plan that is done sooner disappoints nobody. */
function rateOf({ view }: Context): PlanAnswer['rate'] {
  const seen = view
    .nodes()
    .map(({ beat }) => beat?.fetched ?? null)
    .filter((rate): rate is TransferRate => rate !== null);
  if (seen.length === 0) return { basis: 'assumed', ...ASSUMED_RATE };
  return {
    basis: 'observed',
    copiesPerSecond: Math.min(...seen.map(({ copiesPerSecond }) => copiesPerSecond)),
    bytesPerSecond: Math.min(...seen.map(({ bytesPerSecond }) => bytesPerSecond)),
  };
}

function find(loads: readonly NodeLoad[], node: string): Pick<NodeLoad, 'places' | 'bytes'> {
  return loads.find((load) => load.node === node) ?? { places: 0, bytes: 0 };
}

/** Their nodes are not found by the plan: each gets another one by itself. */
function notesOfRules({ without }: PlanRequest, extra: ReadonlyMap<string, number>): string[] {
  const bytes = without.reduce((sum, node) => sum + (extra.get(node) ?? 0), 0);
  if (bytes === 0) return [];
  return [`beside that, ${roughByteSize(bytes)} of copies by rules of single segments would go to other nodes`];
}

function notesOf({ mostCopies }: Context, before: Placement, after: Placement, full: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  if (after.ranks < Math.min(mostCopies, 8) && after.ranks < before.ranks) {
    const left = String(after.ranks);
    notes.push(
      `only ${left} node(s) would be left for ${String(mostCopies)} copies: segments would have ${left}; a drain would wait`,
    );
  }
  if (full.size > 0) notes.push(`over their quota: ${[...full].join(', ')}; add nodes, or raise their quotas`);
  return notes;
}
