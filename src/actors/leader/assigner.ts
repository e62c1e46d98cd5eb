import { unreachable } from '../../errors.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type Assign } from '../../messages/node-messages.ts';
import { nodesOf } from '../../model/placement.ts';
import { type PlacementDocument } from '../../model/placement-document.ts';
import { slotOf } from '../../model/slot.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type CatalogueChange, type CatalogueRuled } from './catalogue-news.ts';
import { type LeadershipState } from './leadership.ts';

export type AssignerMessage =
  | CatalogueChange
  | CatalogueRuled
  | { readonly kind: 'shredded'; readonly segment: string }
  /** The placement was written anew. */
  | { readonly kind: 'placed' }
  /** Says to every node where the numbers stand, so that it notices what it missed. */
  | { readonly kind: 'repeat' };

export interface AssignerDeps {
  readonly leadership: LeadershipState;
  readonly placement: () => PlacementDocument | undefined;
  /** Nodes beside those of its slot that the segment's own rule names. */
  readonly extra: (segment: string) => readonly string[];
  /** Whether further places are to come to the node, which wait for their turn. */
  readonly gainsMore: (node: string) => boolean;
  /** Every node that keeps copies and lives: one that the placement names no more has some to give up. */
  readonly nodes: () => readonly string[];
  readonly emit: Emit<{ readonly node: string; readonly assign: Assign }>;
}

/** Of one message: however long the ids are, it is smaller than what NATS takes. */
const MOST_ROWS = 1_000;

/** Tells each node what changed for it: work that follows the changes, however many segments there are. */
export class Assigner implements Actor<AssignerMessage> {
  readonly name = 'assigner';
  readonly #deps: AssignerDeps;
  readonly #sequences = new Map<string, number>();
  #term: number | undefined;

  constructor(deps: AssignerDeps) {
    this.#deps = deps;
  }

  receive(message: AssignerMessage): void {
    const placement = this.#deps.placement();
    if (placement === undefined || !this.#leads()) return;
    switch (message.kind) {
      case 'changed':
        this.#changed(message.rows, placement);
        return;
      case 'ruled':
        this.#ruled(message.rows, placement);
        return;
      case 'shredded':
        for (const node of this.#everybody(placement)) this.#say(node, placement, { shredded: [message.segment] });
        return;
      case 'placed':
      case 'repeat':
        for (const node of this.#everybody(placement)) this.#repeat(node, placement);
        return;
      default:
        unreachable(message);
    }
  }

  /** The number of the last message to the node in this term. */
  sequenceOf(node: string): number {
    return this.#leads() ? (this.#sequences.get(node) ?? 0) : 0;
  }

  #leads(): boolean {
    const { term } = this.#deps.leadership;
    if (term !== this.#term) this.#sequences.clear();
    this.#term = term;
    return term !== undefined;
  }

  #everybody({ target }: PlacementDocument): Iterable<string> {
    return new Set<string>([...target.nodes, ...this.#deps.nodes()]);
  }

  #changed(rows: CatalogueChange['rows'], placement: PlacementDocument): void {
    const forNode = new Map<string, ManifestRow[]>();
    for (const { copies, tier, ...row } of rows) {
      if (row.version === 0) continue;
      for (const node of this.#nodesOf(row.id, { copies, tier }, placement)) {
        const list = forNode.get(node);
        if (list === undefined) forNode.set(node, [row]);
        else list.push(row);
      }
    }
    for (const [node, changed] of forNode) {
      for (let at = 0; at < changed.length; at += MOST_ROWS)
        this.#say(node, placement, { changed: changed.slice(at, at + MOST_ROWS) });
    }
  }

  /** Those who are to have a copy are told of it, all others that they are not. */
  #ruled(rows: CatalogueRuled['rows'], placement: PlacementDocument): void {
    this.#changed(rows, placement);
    const without = new Map<string, string[]>(Array.from(this.#everybody(placement), (node) => [node, []]));
    for (const { id, copies, tier } of rows) {
      const holders = new Set<string>(this.#nodesOf(id, { copies, tier }, placement));
      for (const [node, list] of without) if (!holders.has(node)) list.push(id);
    }
    for (const [node, unasked] of without) {
      for (let at = 0; at < unasked.length; at += MOST_ROWS)
        this.#say(node, placement, { unasked: unasked.slice(at, at + MOST_ROWS) });
    }
  }

  #nodesOf(id: string, treatment: SegmentTreatment, { target }: PlacementDocument): readonly string[] {
    if (treatment.tier === 'cold') return [];
    return [...nodesOf(target, slotOf(id)).slice(0, treatment.copies), ...this.#deps.extra(id)];
  }

  #say(node: string, { epoch }: PlacementDocument, news: Partial<Assign>): void {
    const sequence = this.sequenceOf(node) + 1;
    this.#sequences.set(node, sequence);
    this.#emit(node, { epoch, sequence, ...news });
  }

  #repeat(node: string, { epoch }: PlacementDocument): void {
    const sequence = this.sequenceOf(node);
    this.#emit(node, { epoch, sequence });
  }

  #emit(node: string, news: Pick<Assign, 'epoch' | 'sequence'> & Partial<Assign>): void {
    const nothing = { changed: [], shredded: [], unasked: [], more: this.#deps.gainsMore(node) };
    this.#deps.emit({ node, assign: { term: this.#term ?? 0, ...nothing, ...news } });
  }
}
