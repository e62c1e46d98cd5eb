import { NO_NODE, type Placement, type PlacementNode } from './placement.ts';
import { targetShares } from './placement-targets.ts';
import { Rendezvous } from './rendezvous.ts';
import { SLOT_COUNT } from './slot.ts';

const TOLERANCE = 0.05;

/** A placement in the making: keeps each node's load beside its target while slots are put and moved. Every method leaves valid slots valid. */
export class PlacementDraft {
  readonly table: Uint16Array;
  readonly ranks: number;
  readonly loads: Float64Array;
  /** What each node should hold; see `retarget`. */
  readonly targets: Float64Array;
  readonly #shares: Float64Array;
  readonly weights: Float64Array;
  /** Of one (slot, rank). */
  readonly meanWeight: number;
  /** Whose each place was before; NO_NODE for nobody's that is still there. */
  readonly #origin: Uint16Array;
  readonly #zoneOf: readonly number[];
  /** How many zones the copies of one slot have to be spread over. */
  readonly #zonesNeeded: number;
  readonly #rendezvous: Rendezvous;
  readonly #names: ReadonlyMap<string, number>;

  constructor(nodes: readonly PlacementNode[], ranks: number, weights: Float64Array) {
    const zones = [...new Set(nodes.map(({ zone }) => zone))];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.ranks = ranks;
    this.weights = weights;
    this.meanWeight = total / Math.max(weights.length, 1);
    this.table = new Uint16Array(SLOT_COUNT * ranks).fill(NO_NODE);
    this.#origin = new Uint16Array(SLOT_COUNT * ranks).fill(NO_NODE);
    this.loads = new Float64Array(nodes.length);
    this.#shares = Float64Array.from(nodes.length === 0 ? [] : targetShares(nodes, ranks), (part) => part * total);
    this.targets = this.#shares.slice();
    this.#zoneOf = nodes.map(({ zone }) => zones.indexOf(zone));
    this.#zonesNeeded = Math.min(ranks, zones.length);
    this.#rendezvous = new Rendezvous(
      nodes.map(({ node }) => node),
      nodes.map(({ quotaBytes }) => Math.max(quotaBytes, 0)),
    );
    this.#names = new Map(nodes.map(({ node }, index) => [node, index]));
  }

  /** Takes over what is still possible of `previous`, each node at its rank. The number of places taken over. */
  take(previous: Placement): number {
    const indexes = previous.nodes.map((name) => this.#names.get(name));
    let kept = 0;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      for (let rank = 0; rank < Math.min(this.ranks, previous.ranks); rank += 1) {
        const node = indexes[previous.table[slot * previous.ranks + rank] ?? NO_NODE];
        if (node === undefined || this.holds(slot, node)) continue;
        this.#put(slot * this.ranks + rank, node);
        this.#origin[slot * this.ranks + rank] = node;
        kept += 1;
      }
    }
    return kept;
  }

  /** Empties places, last ranks first, in slots whose copies share a zone that they need not share. The number of places emptied. */
  repairZones(): number {
    let emptied = 0;
    for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
      for (
        let rank = this.ranks - 1;
        rank > 0 && this.#distinctZones(slot) + this.#emptyPlaces(slot) < this.#zonesNeeded;
        rank -= 1
      ) {
        const at = slot * this.ranks + rank;
        const node = this.table[at] ?? NO_NODE;
        if (node === NO_NODE || this.#nodesInZone(slot, this.#zone(node)) < 2) continue;
        this.loads[node] = (this.loads[node] ?? 0) - (this.weights[at] ?? 0);
        this.table[at] = NO_NODE;
        emptied += 1;
      }
    }
    return emptied;
  }

  /** Fills every empty place with the first node in rendezvous order that has room below its target. The number of places filled. */
  fill(): number {
    let filled = 0;
    for (let at = 0; at < this.table.length; at += 1) {
      if (this.table[at] !== NO_NODE) continue;
      const node = this.#choose(Math.trunc(at / this.ranks), this.weights[at] ?? 0);
      if (node === undefined) continue;
      this.#put(at, node);
      filled += 1;
    }
    return filled;
  }

  holds(slot: number, node: number): boolean {
    for (let rank = 0; rank < this.ranks; rank += 1) if (this.table[slot * this.ranks + rank] === node) return true;
    return false;
  }

  /** Where the slot names the node. */
  placeOf(slot: number, node: number): number | undefined {
    for (let at = slot * this.ranks; at < (slot + 1) * this.ranks; at += 1) if (this.table[at] === node) return at;
    return undefined;
  }

  /** Of two places of one slot. */
  swap(one: number, other: number): void {
    const node = this.table[one] ?? NO_NODE;
    this.move(one, this.table[other] ?? NO_NODE);
    this.move(other, node);
  }

  /** Whether the place may go from one node to another: not twice on one node, and zones no worse than needed. */
  mayMove(at: number, to: number): boolean {
    const slot = Math.trunc(at / this.ranks);
    if (this.holds(slot, to)) return false;
    const fromZone = this.#zone(this.table[at] ?? NO_NODE);
    const toZone = this.#zone(to);
    if (fromZone === toZone) return true;
    const lost = this.#nodesInZone(slot, fromZone) === 1 ? 1 : 0;
    const won = this.#nodesInZone(slot, toZone) === 0 ? 1 : 0;
    return this.#distinctZones(slot) - lost + won >= this.#zonesNeeded;
  }

  move(at: number, to: number): void {
    const from = this.table[at] ?? NO_NODE;
    this.loads[from] = (this.loads[from] ?? 0) - (this.weights[at] ?? 0);
    this.#put(at, to);
  }

  cost(node: number, slot: number): number {
    return this.#rendezvous.cost(node, slot);
  }

  /** How far a node is above its target; negative below it. */
  excess(node: number): number {
    return (this.loads[node] ?? 0) - (this.targets[node] ?? 0);
  }

  /** The copies of the place have to be made anyway: which node makes them costs nothing. */
  isFree(at: number): boolean {
    return this.table[at] !== this.#origin[at];
  }

  /** How far a node may be from its target: 5 %, or one mean place. */
  tolerance(node: number): number {
    return Math.max(TOLERANCE * (this.targets[node] ?? 0), this.meanWeight);
  }

  /** How far all nodes are from where they may be, in one number: each move must make it smaller. */
  strain(): number {
    let sum = 0;
    for (let node = 0; node < this.loads.length; node += 1) {
      const beyond = (Math.abs(this.excess(node)) - this.tolerance(node) / 2) / this.meanWeight;
      if (beyond > 0) sum += beyond ** 2;
    }
    return sum;
  }

  placesByNode(): number[][] {
    const places: number[][] = Array.from(this.loads, () => []);
    this.table.forEach((node, at) => places[node]?.push(at));
    return places;
  }

  /**
   * A node with one place that is heavier than its share can do no better than to hold that alone: that is its target then, and the others
   * share the rest. Else all of them would count as far too empty, and nobody would see that they are unlike each other.
   */
  retarget(): void {
    const heaviest = new Float64Array(this.loads.length);
    this.table.forEach((node, at) => {
      if (node !== NO_NODE) heaviest[node] = Math.max(heaviest[node] ?? 0, this.weights[at] ?? 0);
    });
    const sum = (amounts: Float64Array, isCounted: (node: number) => boolean): number =>
      amounts.reduce((all, amount, node) => (isCounted(node) ? all + amount : all), 0);
    const total = sum(this.#shares, () => true);
    const full = new Set<number>();
    let scale = 1;
    const shareOf = (node: number): number => (this.#shares[node] ?? 0) * scale;
    for (;;) {
      const more = Array.from(heaviest.keys()).filter(
        (node) => !full.has(node) && (heaviest[node] ?? 0) > shareOf(node) && shareOf(node) > this.meanWeight,
      );
      if (more.length === 0) break;
      for (const node of more) full.add(node);
      const left = total - sum(heaviest, (node) => full.has(node));
      scale =
        Math.max(left, 0) /
        Math.max(
          sum(this.#shares, (node) => !full.has(node)),
          Number.MIN_VALUE,
        );
    }
    heaviest.forEach((weight, node) => {
      this.targets[node] = full.has(node) ? weight : shareOf(node);
    });
  }

  #put(at: number, node: number): void {
    this.table[at] = node;
    this.loads[node] = (this.loads[node] ?? 0) + (this.weights[at] ?? 0);
  }

  #choose(slot: number, weight: number): number | undefined {
    const spare = this.#distinctZones(slot) + this.#emptyPlaces(slot) > this.#zonesNeeded;
    let best: number | undefined;
    let bestCost = Infinity;
    let emptiest: number | undefined;
    let leastExcess = Infinity;
    for (let node = 0; node < this.loads.length; node += 1) {
      if (this.holds(slot, node)) continue;
      if (!spare && this.#nodesInZone(slot, this.#zone(node)) > 0) continue;
      const excess = this.excess(node) + weight;
      if (excess < leastExcess) {
        leastExcess = excess;
        emptiest = node;
      }
      if (excess > this.meanWeight) continue;
      const cost = this.cost(node, slot);
      if (cost < bestCost) {
        bestCost = cost;
        best = node;
      }
    }
    return best ?? emptiest;
  }

  #zone(node: number): number {
    return this.#zoneOf[node] ?? -1;
  }

  #emptyPlaces(slot: number): number {
    let empty = 0;
    for (let rank = 0; rank < this.ranks; rank += 1) if (this.table[slot * this.ranks + rank] === NO_NODE) empty += 1;
    return empty;
  }

  #nodesInZone(slot: number, zone: number): number {
    let found = 0;
    for (let rank = 0; rank < this.ranks; rank += 1) {
      const node = this.table[slot * this.ranks + rank] ?? NO_NODE;
      if (node !== NO_NODE && this.#zone(node) === zone) found += 1;
    }
    return found;
  }

  #distinctZones(slot: number): number {
    let distinct = 0;
    for (let rank = 0; rank < this.ranks; rank += 1) {
      const zone = this.#zone(this.table[slot * this.ranks + rank] ?? NO_NODE);
      if (zone < 0) continue;
      let isFirst = true;
      for (let before = 0; before < rank && isFirst; before += 1) {
        isFirst = this.#zone(this.table[slot * this.ranks + before] ?? NO_NODE) !== zone;
      }
      if (isFirst) distinct += 1;
    }
    return distinct;
  }
}
