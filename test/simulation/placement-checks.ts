import { type PlacementDocument } from '../../src/model/placement-document.ts';
import { nodesOf, type Placement } from '../../src/model/placement.ts';
import { type Slot, SLOT_COUNT } from '../../src/model/slot.ts';
import { namedBy } from './documents.ts';
import { type Truths } from './truths.ts';
import { type World } from './world.ts';

interface Placed {
  readonly document: PlacementDocument;
  readonly at: number;
}

/** A node's silence may have begun so long before anything was wrong with it, ms: beats that were lost or late. */
const SILENCE_SLACK_MS = 10_000;
/** Everybody who is to know of a file knows of it after this and some listings. */
const KNOWN_AFTER_MS = 30_000;

/** Looks at each placement as it is written. */
export class PlacementChecks {
  readonly history: Placed[] = [];
  readonly #world: World;
  readonly #truths: Truths;

  constructor(world: World, truths: Truths) {
    this.#world = world;
    this.#truths = truths;
  }

  changed(next: PlacementDocument, before: PlacementDocument | undefined, by: string): void {
    const { term, epoch, target, serving } = next;
    this.#world.journal.say('store', 'placement', {
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
    if (movedPlaces(before.serving, serving) > 0) this.#checkServing(before.serving, serving);
  }

  /** ms since a placement last named the node for the segment, as target or as serving; 0 while it does. */
  sinceNamed(node: string, id: string): number {
    const { copies } = this.#world.rule(id);
    for (let at = this.history.length - 1; at >= 0; at -= 1) {
      const placed = this.history[at];
      if (placed === undefined || !names(placed.document, id, copies).has(node)) continue;
      return this.#world.now - (this.history[at + 1]?.at ?? this.#world.now);
    }
    return Infinity;
  }

  /** ms for which each placement has named the node for the segment without a break, until now. */
  namedFor(node: string, id: string): number {
    const { copies } = this.#world.rule(id);
    let since = this.#world.now;
    for (let at = this.history.length - 1; at >= 0; at -= 1) {
      const placed = this.history[at];
      if (placed === undefined || !names(placed.document, id, copies).has(node)) break;
      since = placed.at;
    }
    return this.#world.now - since;
  }

  /** Nobody is given up who was there a moment ago. */
  #checkDropped(before: Placement, next: Placement, by: string): void {
    for (const node of before.nodes) {
      if (next.nodes.includes(node)) continue;
      const awayMs = this.#world.unwellForMs(node);
      if (awayMs >= this.#world.plan.rebuildAfterMs - SILENCE_SLACK_MS) continue;
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

  /** Whoever is said to serve from now on has what it is to serve. */
  #checkServing(before: Placement, next: Placement): void {
    for (const [id, since] of this.#truths.publishedSince) {
      const { copies, tier } = this.#world.rule(id);
      const knownMs = KNOWN_AFTER_MS + 2 * this.#world.plan.coldScanIntervalMs;
      if (tier === 'cold' || Math.min(this.#world.now - since, this.#truths.untroubledMs) < knownMs) continue;
      const served = new Set(namedBy(before, id, copies));
      for (const name of namedBy(next, id, copies)) {
        if (served.has(name) || !this.#world.isWell(name)) continue;
        const file = this.#world.node(name)?.disk.files.get(this.#truths.copyPath(name, id));
        if (file?.content === this.#world.cold.files.get(id)?.content) continue;
        if (this.#truths.lostAt(name, id) > this.#world.now - knownMs) continue;
        this.#world.fail(
          `${name} serves ${id} from now on, and has ${file === undefined ? 'no' : 'an old'} copy of it`,
        );
      }
    }
  }
}

function names({ target, serving }: PlacementDocument, id: string, copies: number): Set<string> {
  return new Set([...namedBy(target, id, copies), ...namedBy(serving, id, copies)]);
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
