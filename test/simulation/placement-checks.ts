import { type PlacementDocument } from '../../src/model/placement-document.ts';
import { nodesOf, type Placement } from '../../src/model/placement.ts';
import { parseSegmentId } from '../../src/model/segment-id.ts';
import { type Slot, SLOT_COUNT } from '../../src/model/slot.ts';
import { type Catalogues } from './catalogues.ts';
import { leaseOf, namedBy, placesBy } from './documents.ts';
import { type RuleChecks } from './rule-checks.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

interface Placed {
  readonly document: PlacementDocument;
  readonly at: number;
}

/** A node's silence may have begun so long before anything was wrong with it, ms: beats that were lost or late. */
const SILENCE_SLACK_MS = 10_000;
/** A placement that is taken back sooner may be missed by a node that looks at it once in a grace time. */
const MOMENT_MS = 60_000;
/** A copy that was destroyed so short a time ago may have been there when its node said that all are. */
const LOST_MS = 20_000;

/** Looks at each placement as it is written. */
export class PlacementChecks {
  readonly history: Placed[] = [];
  readonly #world: World;
  readonly #truths: Truths;
  readonly #catalogues: Catalogues;

  readonly #rules: RuleChecks;

  constructor(world: World, truths: Truths, catalogues: Catalogues, rules: RuleChecks) {
    this.#rules = rules;
    this.#world = world;
    this.#truths = truths;
    this.#catalogues = catalogues;
  }

  changed(next: PlacementDocument, before: PlacementDocument | undefined, by: string): void {
    const { term, epoch, target, serving } = next;
    this.#world.runLog.say('store', 'placement', {
      by,
      term,
      epoch,
      target: target.nodes.join(','),
      serving: serving.nodes.join(','),
      moved: before === undefined ? 0 : movedPlaces(before.target, target),
    });
    this.history.push({ document: next, at: this.#world.now });
    if (before === undefined) return;
    if (term < before.term) this.#world.fail(`the placement's term went back to ${String(term)} (${by})`);
    if (epoch < before.epoch) this.#world.fail(`the placement's epoch went back to ${String(epoch)} (${by})`);
    const hasMoved = movedPlaces(before.target, target) > 0;
    if (hasMoved && epoch === before.epoch) this.#world.fail(`copies move within epoch ${String(epoch)} (${by})`);
    this.#checkDropped(before.target, target, by);
    this.#checkMoves(before.target, target);
    if (movedPlaces(before.serving, serving) > 0) this.#checkServing(next, before.serving, by);
  }

  /** ms since placements last named the node for the segment, as target or as serving, for more than a moment; 0 while one does. */
  sinceNamed(node: string, id: string): number {
    let until: number | undefined;
    for (const { named, from, to } of this.#namesOf(id)) {
      if (!named.has(node)) {
        until = undefined;
        continue;
      }
      until ??= to;
      if (until - from >= MOMENT_MS) return this.#world.now - until;
    }
    return Infinity;
  }

  /** ms for which each placement has named the node for the segment without a break, until now. */
  namedFor(node: string, id: string): number {
    let since = this.#world.now;
    for (const { named, from } of this.#namesOf(id)) {
      if (!named.has(node)) break;
      since = from;
    }
    return this.#world.now - since;
  }

  /** Who was named for the segment, by placement and rule, and for how long; the last first. */
  *#namesOf(id: string): Iterable<{ named: ReadonlySet<string>; from: number; to: number }> {
    const rules = this.#rules.historyOf(id);
    let rule = rules.length - 1;
    let to = this.#world.now;
    for (let at = this.history.length - 1; at >= 0;) {
      const placed = this.history[at];
      const ruled = rules[rule];
      if (placed === undefined) return;
      const { target, serving } = placesBy(this.#world, placed.document, id, ruled?.document);
      const from = Math.max(placed.at, ruled?.at ?? 0);
      yield { named: new Set([...target, ...serving]), from, to };
      to = from;
      if (placed.at >= from) at -= 1;
      if (ruled !== undefined && ruled.at >= from) rule -= 1;
    }
  }

  /** Nobody is given up who was there a moment ago. */
  #checkDropped(before: Placement, next: Placement, by: string): void {
    for (const node of before.nodes) {
      if (next.nodes.includes(node)) continue;
      const awayMs = this.#world.unwellForMs(node);
      if (awayMs >= this.#world.plan.rebuildAfterMs - SILENCE_SLACK_MS || this.#world.isDrained(node)) continue;
      this.#world.fail(`${by} placed without ${node}, which was away for ${String(Math.round(awayMs))} ms only`);
    }
  }

  /** What leaves nodes that are gone must move, and so must the share of those that came; little else. */
  #checkMoves(before: Placement, next: Placement): void {
    if (before.ranks !== next.ranks) return;
    const places = SLOT_COUNT * next.ranks;
    const gone = before.nodes.filter((node) => !next.nodes.includes(node));
    const came = next.nodes.filter((node) => !before.nodes.includes(node));
    const required = placesOn(before, gone) + placesOn(next, came);
    const moved = movedPlaces(before, next);
    if (moved > required * 1.5 + places * 0.06) {
      this.#world.fail(`${String(moved)} of ${String(places)} places moved where ${String(required)} had to`);
    }
  }

  /** Whoever is said to serve from now on has what the leader knew of when it placed it there. */
  #checkServing({ term, epoch, serving }: PlacementDocument, before: Placement, by: string): void {
    const placedAt = this.history.find(({ document }) => document.term === term && document.epoch === epoch)?.at ?? 0;
    for (const { id, version, copies } of this.#catalogues.knownSince(by, placedAt)) {
      const served = new Set(namedBy(before, id, copies));
      for (const name of namedBy(serving, id, copies)) {
        const parts = this.#world.node(name)?.context?.parts;
        // One that is gone holds nothing up, and no more does a file that nobody can fetch.
        if (served.has(name) || parts === undefined || !this.#world.isWell(name)) continue;
        if ((parts.copier?.unfetchable ?? 0) > 0 || this.#isShredded(id)) continue;
        const had = parts.inventory?.held(parseSegmentId(id))?.version ?? 0;
        if (had >= version || this.#truths.lostAt(name, id) > this.#world.now - LOST_MS) continue;
        this.#world.fail(`${name} serves ${id} from now on, and has version ${String(had)} of ${String(version)}`);
      }
    }
  }

  #isShredded(id: string): boolean {
    return leaseOf(this.#world, id)?.state === 'shredded';
  }
}

/** Places whose slot was not on that node before. */
function movedPlaces(before: Placement, next: Placement): number {
  let moved = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const had = new Set(nodesOf(before, slot as Slot));
    for (const node of nodesOf(next, slot as Slot)) if (!had.has(node)) moved += 1;
  }
  return moved;
}

function placesOn(placement: Placement, nodes: readonly string[]): number {
  const indexes = new Set(nodes.map((node) => placement.nodes.findIndex((name) => name === node)));
  return placement.table.reduce((sum, at) => sum + (indexes.has(at) ? 1 : 0), 0);
}
