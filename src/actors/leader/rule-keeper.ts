import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, isLost, type NodeEntry, type RuleEntry } from '../../messages/cluster-view.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { saysNothing } from '../../messages/copy-places.ts';
import { type CopyReport } from '../../messages/copy-report.ts';
import { encodeDocument, type RuleDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { nodesOf } from '../../model/placement.ts';
import { type PlacementDocument } from '../../model/placement-document.ts';
import { Rendezvous } from '../../model/rendezvous.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { slotOf } from '../../model/slot.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type LeadershipState } from './leadership.ts';
import { isGone } from './placement-members.ts';

export interface RuleKeeperMessage {
  readonly kind: 'tick';
}

export interface RuleKeeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly leadership: LeadershipState;
  readonly placement: () => PlacementDocument | undefined;
  /** What a segment gets, its own rule included. */
  readonly rule: (id: string) => SegmentTreatment;
  readonly rebuildAfterMs: number;
  /** What of these a node that is to hold them has to have. */
  readonly rows: (ids: readonly string[]) => Promise<readonly ManifestRow[]>;
  /** What the node says of its copy; undefined: nothing. */
  readonly copyOf: (node: string, segment: string) => Promise<CopyReport | undefined>;
}

type Extra = RuleDocument['extra'];

const STORE_DEADLINE_MS = 5_000;
const ROWS_DEADLINE_MS = 5_000;
/** Documents that are written, and copies that are asked for, in one turn. */
const MOST = 32;

/**
 * Finds nodes for the copies that a segment has beyond the nodes of its slot, because its own rule asks for more than any slot has: the placement of
 * everything else stays as it is. A node that leaves is kept until the copies of those that take its place were seen; a rule that says nothing any
 * more goes.
 */
export class RuleKeeper implements Actor<RuleKeeperMessage> {
  readonly name = 'rule-keeper';
  readonly #deps: RuleKeeperDeps;

  constructor(deps: RuleKeeperDeps) {
    this.#deps = deps;
  }

  async receive(): Promise<void> {
    const { leadership, view, placement, log } = this.#deps;
    const { term } = leadership;
    const placed = placement();
    if (term === undefined || placed?.term !== term || !view.current || isLost(view)) return;
    try {
      await this.#settle(term, placed);
    } catch (error) {
      log.warn({ actor: this.name, err: TroughError.from(error) }, 'rules could not be looked after; it goes on later');
    }
  }

  async #settle(term: number, placed: PlacementDocument): Promise<void> {
    const changed: [RuleEntry, RuleDocument | undefined][] = [];
    const seen = await this.#seen();
    for (const entry of this.#deps.view.rules()) {
      const { document } = entry;
      if (changed.length === MOST || document.term > term) continue;
      const ready = document.extra.map((one) => ({
        ...one,
        serving: one.serving || seen.has(keyOf(document, one.node)),
      }));
      const next = this.#next({ ...document, extra: ready }, placed);
      if (next === undefined || !isSame(next.extra, document.extra)) changed.push([entry, next]);
    }
    for (const [entry, next] of changed) await this.#write(entry, next === undefined ? undefined : { ...next, term });
  }

  /** undefined: nothing is left of it. */
  #next(document: RuleDocument, placed: PlacementDocument): RuleDocument | undefined {
    const { view, rule } = this.#deps;
    const isShredded = view.lease(document.segment)?.document.state === 'shredded';
    const { copies, tier } = rule(document.segment);
    const ofSlot = nodesOf(placed.target, slotOf(document.segment));
    const wanted = tier === 'cold' || isShredded ? 0 : Math.max(0, copies - ofSlot.length);
    const extra = this.#extra(document, ofSlot, wanted);
    return isShredded || (saysNothing(document) && extra.length === 0) ? undefined : { ...document, extra };
  }

  #extra({ segment, extra }: RuleDocument, ofSlot: readonly string[], wanted: number): Extra {
    if (wanted === 0) return [];
    const able = this.#able().filter(({ document }) => !ofSlot.includes(document.node));
    const had = new Set(extra.map(({ node }) => node));
    const staying = able.filter(({ document }) => had.has(document.node)).slice(0, wanted);
    const zones = new Set(
      [...ofSlot, ...staying.map(({ document }) => document.node)].map((node) => this.#zoneOf(node)),
    );
    const coming = able
      .filter(({ document, state }) => !had.has(document.node) && state === 'alive')
      .map((entry) => ({ node: entry.document.node, rank: rankOf(entry, zones, segment) }))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, wanted - staying.length);
    const names = new Set(staying.map(({ document }) => document.node));
    const next = [
      ...extra.filter(({ node }) => names.has(node)),
      ...coming.map(({ node }) => ({ node, serving: false })),
    ];
    // Make before break: those that leave stay until the others serve, unless they are gone.
    const isReady = next.length >= wanted && next.every(({ serving }) => serving);
    const leaving = isReady
      ? []
      : extra.filter(({ node }) => !names.has(node) && !ofSlot.includes(node) && !this.#isGone(node));
    return [...next, ...leaving];
  }

  /** Nodes that copies may be on: neither drained nor given up. */
  #able(): NodeEntry[] {
    const { view, rebuildAfterMs } = this.#deps;
    return view
      .nodes()
      .filter((entry) => entry.document.roles.includes('sync-local') && !isGone(entry, rebuildAfterMs))
      .filter(({ document }) => view.drainOf(document.node) === undefined);
  }

  #isGone(node: string): boolean {
    const entry = this.#deps.view.node(node);
    return entry === undefined || isGone(entry, this.#deps.rebuildAfterMs);
  }

  #zoneOf(node: string): string {
    return this.#deps.view.node(node)?.document.zone ?? '';
  }

  /** Of the copies that are not served yet, those that their nodes say they have. */
  async #seen(): Promise<ReadonlySet<string>> {
    const { view, clock, rows, copyOf } = this.#deps;
    const coming = Array.from(view.rules()).filter(({ document }) => document.extra.some(({ serving }) => !serving));
    const seen = new Set<string>();
    if (coming.length === 0) return seen;
    const ids = coming.map(({ document }) => document.segment);
    const published = await withDeadline(clock, ROWS_DEADLINE_MS, () => rows(ids));
    const versions = new Map(published.map(({ id, version }) => [id, version]));
    const asked = coming
      .flatMap(({ document }) =>
        document.extra.filter(({ serving }) => !serving).map(({ node }) => ({ document, node })),
      )
      .filter(({ document, node }) => versions.has(document.segment) && view.node(node)?.state === 'alive')
      .slice(0, MOST);
    const reports = asked.map(async ({ document, node }) => {
      const version = (await copyOf(node, document.segment))?.copy?.version ?? -1;
      if (version >= (versions.get(document.segment) ?? Infinity)) seen.add(keyOf(document, node));
    });
    await Promise.all(reports);
    return seen;
  }

  async #write({ document, revision }: RuleEntry, next: RuleDocument | undefined): Promise<void> {
    const { store, clock, log } = this.#deps;
    const key = keys.rule(document.segment);
    try {
      await withDeadline<unknown>(clock, STORE_DEADLINE_MS, (signal) =>
        next === undefined
          ? store.delete(key, revision, signal)
          : store.update(key, encodeDocument(next), revision, signal),
      );
    } catch (error) {
      const err = TroughError.from(error);
      log.debug({ actor: this.name, segment: document.segment, err }, 'a rule could not be written and is tried again');
    }
  }
}

/** Another zone first, then one that has room, then by chance that is the same each time. */
function rankOf({ document, beat }: NodeEntry, zones: ReadonlySet<string>, segment: string): number {
  const isFull = (beat?.storedBytes ?? 0) >= document.quotaBytes;
  const cost = new Rendezvous([document.node], [1]).cost(0, slotOf(segment));
  return (zones.has(document.zone) ? 2_000 : 0) + (isFull ? 1_000 : 0) + Math.min(cost, 999);
}

function keyOf({ segment }: RuleDocument, node: string): string {
  return `${segment} ${node}`;
}

function isSame(one: Extra, other: Extra): boolean {
  return (
    one.length === other.length &&
    one.every(({ node, serving }, at) => node === other[at]?.node && serving === other[at].serving)
  );
}
