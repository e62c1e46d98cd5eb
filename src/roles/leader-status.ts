import { placementMembers } from '../actors/leader/placement-members.ts';
import { isLost, type NodeEntry } from '../messages/cluster-view.ts';
import { type NodeStatus, type StatusAnswer } from '../messages/control.ts';
import { movedBetween, nodesOf, type Placement } from '../model/placement.ts';
import { loadsOf, type NodeLoad, overQuota } from '../model/placement-load.ts';
import { type Slot, SLOT_COUNT } from '../model/slot.ts';
import { type SlotSums } from '../model/slot-sums.ts';
import { transferMs } from '../model/transfer-time.ts';
import { type NodeContext } from './node-context.ts';

type Context = Pick<NodeContext, 'view' | 'placement' | 'settings' | 'mostCopies' | 'rule' | 'places'>;
type MemberContext = Pick<NodeContext, 'placement' | 'settings' | 'mostCopies'>;

const NOBODY: Placement = { nodes: [], ranks: 0, table: new Uint16Array() };

/** What the slots do not say. */
export interface Beside {
  /** (slot, rank) places that wait for their turn to move. */
  readonly waiting?: number;
  /** What each node holds by rules of single segments, bytes. */
  readonly extra?: ReadonlyMap<string, number>;
}

const NOTHING: ReadonlyMap<string, number> = new Map();
const MOST_SHORT = 10;

/** What `trough status` shows, as this process sees the cluster. */
export function describeStatus(
  context: Context,
  sums: SlotSums,
  { waiting = 0, extra = NOTHING }: Beside = {},
): StatusAnswer {
  const { view, placement } = context;
  const leader = view.leader()?.document;
  const { target = NOBODY, serving = NOBODY, epoch = 0 } = placement.document ?? {};
  const members = placementMembers(view, memberOptions(context));
  const nodes = view
    .nodes()
    .map((entry) => describeNode(context, entry, new Set(members.kept)))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  let writable = 0;
  for (const { document } of view.leases()) if (document.state === 'held') writable += 1;
  const [hot, cold] = [sums.of('hot'), sums.of('cold')];
  const planned = withExtra(loadsOf(target, sums.bytesByRank(target.ranks)), extra);
  const quotas = new Map(nodes.map(({ node, quotaBytes }) => [node, quotaBytes]));
  return {
    leader: leader?.held === true ? { node: leader.node, term: leader.term } : null,
    ...(isLost(view) ? { metadataLost: true } : {}),
    nodes,
    segments: {
      ...{ hot: hot.segments, cold: cold.segments, writable },
      ...{ hotBytes: hot.bytes, coldBytes: cold.bytes },
    },
    placement: {
      epoch,
      underReplicated: nodes.reduce((sum, node) => sum + node.pending + (node.unfetchable?.copies ?? 0), 0),
      slotsUnderReplicated: slotsUnderReplicated(context, sums, target, serving),
      moves: serving.ranks === 0 ? 0 : movedBetween(serving, target),
      waiting,
      leftMs: longest(nodes),
      overQuota: overQuota(planned, nodes).map(({ node, bytes }) => ({
        node,
        plannedBytes: bytes,
        quotaBytes: quotas.get(node) ?? 0,
      })),
    },
    rules: describeRules(context),
  };
}

export function withExtra(loads: readonly NodeLoad[], extra: ReadonlyMap<string, number>): NodeLoad[] {
  return loads.map((load) => ({ ...load, bytes: load.bytes + (extra.get(load.node) ?? 0) }));
}

function describeRules({ view, rule, places }: Context): StatusAnswer['rules'] {
  const documents = Array.from(view.rules(), ({ document }) => document);
  const short = documents
    .map(({ segment }) => ({ segment, treatment: rule(segment), placed: places(segment).target.length }))
    .filter(({ treatment, placed }) => treatment.tier === 'hot' && placed < treatment.copies)
    .map(({ segment, treatment: { copies }, placed }) => ({ segment, copies, placed }));
  return {
    segments: documents.filter(({ copies, tier }) => copies !== null || tier !== null).length,
    hot: documents.filter(({ hot }) => hot !== null).length,
    short: short.slice(0, MOST_SHORT),
  };
}

/** What the placement is made from, here as in the placer. */
export function memberOptions({
  placement,
  settings,
  mostCopies,
}: MemberContext): Parameters<typeof placementMembers>[1] {
  const placed = placement.document?.target.nodes ?? [];
  return { placed, rebuildAfterMs: settings.rebuildAfterMs, ranks: mostCopies };
}

function describeNode(context: Context, entry: NodeEntry, kept: ReadonlySet<string>): NodeStatus {
  const { document, beat, state, silentMs } = entry;
  const { node, zone, roles, quotaBytes } = document;
  const { pending = 0, pendingBytes = 0, fetched = null, damaged = 0, lostFiles = 0, unfetchable = null } = beat ?? {};
  const leases = context.view.leasesOf(node);
  return {
    ...{ node, zone, roles, state, quotaBytes },
    storedBytes: beat?.storedBytes ?? 0,
    copies: beat?.copies ?? 0,
    ...{ pending, pendingBytes },
    leftMs: pending === 0 || fetched === null ? null : transferMs(pending, pendingBytes, fetched),
    leases,
    load: beat?.load ?? 0,
    beatAgeMs: beat === undefined ? null : silentMs,
    drain: describeDrain(context, entry, kept),
    ...{ damaged, lostFiles, unfetchable },
  };
}

function describeDrain(
  { view, placement }: Context,
  { document: { node }, beat }: NodeEntry,
  kept: ReadonlySet<string>,
): NodeStatus['drain'] {
  const drain = view.drainOf(node);
  if (drain === undefined) return null;
  const placed = placement.document;
  const isPlaced = [placed?.target, placed?.serving].some((one) => one?.nodes.some((name) => name === node) === true);
  const isEmpty = !isPlaced && (beat?.copies ?? 0) === 0 && view.leasesOf(node) === 0;
  return { sinceMs: drain.sinceMs, state: kept.has(node) ? 'waiting' : isEmpty ? 'drained' : 'draining' };
}

/** Slots of which some segment has fewer living nodes that serve it than it is to have; where nothing is stored nothing is missing. */
function slotsUnderReplicated({ view }: Context, sums: SlotSums, target: Placement, serving: Placement): number {
  const copies = sums.copiesByRank(target.ranks);
  const lives = new Set(
    serving.nodes.filter((node) => {
      const state = view.node(node)?.state;
      return state === 'alive' || state === 'suspect';
    }),
  );
  let found = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if ((copies[0]?.[slot] ?? 0) === 0) continue;
    const living = nodesOf(serving, slot as Slot).filter((node) => lives.has(node)).length;
    if (living < target.ranks && (copies[living]?.[slot] ?? 0) > 0) found += 1;
  }
  return found;
}

/** null: nothing to fetch, or a node that has not fetched before cannot say. */
function longest(nodes: readonly NodeStatus[]): number | null {
  const busy = nodes.filter(({ pending }) => pending > 0);
  if (busy.length === 0 || busy.some(({ leftMs }) => leftMs === null)) return null;
  return Math.max(...busy.map(({ leftMs }) => leftMs ?? 0));
}
