import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, isLost } from '../../messages/cluster-view.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { gainersBetween, MOST_RANKS, movedBetween, type Placement, type PlacementNode } from '../../model/placement.ts';
import { encodePlacement, type PlacementDocument } from '../../model/placement-document.ts';
import { plan, type SlotBytes } from '../../model/placement-plan.ts';
import { type MoveLimits, stepToward } from '../../model/placement-step.ts';
import { type SlotSums } from '../../model/slot-sums.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type LeadershipState } from './leadership.ts';
import { isGone, placementMembers } from './placement-members.ts';

export interface PlacerMessage {
  readonly kind: 'tick';
}

export interface PlacerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly leadership: LeadershipState;
  readonly placement: () => PlacementDocument | undefined;
  readonly emit: Emit<{ readonly kind: 'placed' }>;
  readonly rebuildAfterMs: number;
  readonly moves: MoveLimits;
  /** The largest number of copies that any segment is to have. */
  readonly ranks: number;
  /** What is stored, by slot; undefined while that is not known yet. */
  readonly weights: () => Promise<SlotSums | undefined>;
}

/** Moves that nobody waits for are held back by limits. */
export interface PlacerState {
  /** (slot, rank) places that are to change their node and have not begun to. */
  readonly waiting: number;
  /** Whether some of them are to come to the node. */
  gainsMore(node: string): boolean;
}

const STORE_DEADLINE_MS = 5_000;
/** What is stored is weighed again after this: balance may be late, and planning is not free. */
const WEIGH_EVERY_MS = 60_000;
/** When it was not known. */
const WEIGH_AGAIN_MS = 5_000;
const WEIGH_DEADLINE_MS = 5_000;
const NOBODY: Placement = { nodes: [], ranks: 0, table: new Uint16Array() };

interface Planned {
  readonly from: Placement | undefined;
  readonly nodes: string;
  readonly bytes: SlotBytes | undefined;
  readonly target: Placement;
}

/** Keeps the placement right for the nodes there are: one document, written by the leader, at most once a second. */
export class Placer implements Actor<PlacerMessage>, PlacerState {
  readonly name = 'placer';
  readonly #deps: PlacerDeps;
  /** What the last plan was made from: planning is not free, and mostly nothing has changed. */
  #planned: Planned | undefined;
  #bytes: SlotBytes | undefined;
  #weighAt = -Infinity;
  #waiting = 0;
  #gaining: ReadonlySet<string> = new Set();

  /** The revision of the placement that the nodes were told of last. */
  #announced: number | undefined;

  constructor(deps: PlacerDeps) {
    this.#deps = deps;
  }

  get waiting(): number {
    return this.#deps.leadership.term === undefined ? 0 : this.#waiting;
  }

  gainsMore(node: string): boolean {
    return this.#deps.leadership.term !== undefined && this.#gaining.has(node);
  }

  async receive(): Promise<void> {
    const { leadership, view, placement } = this.#deps;
    const { term } = leadership;
    // What is where is not known: a plan made from nothing would have it all moved.
    if (term === undefined || !view.current || isLost(view)) return;
    await this.#weigh();
    const before = placement();
    this.#announce(view.placement()?.revision);
    // A later leader has written it: this one only does not know yet that it was deposed.
    if (before !== undefined && before.term > term) return;
    const { nodes, present } = placementMembers(view, { ...this.#deps, placed: before?.target.nodes ?? [] });
    if (nodes.length === 0) return;
    const goal = this.#plan(before?.target, nodes);
    const target = before === undefined ? goal : this.#step(before, goal, present);
    this.#waiting = target === goal ? 0 : movedBetween(target, goal);
    this.#gaining = target === goal ? new Set() : gainersBetween(target, goal);
    const moved = before === undefined || target !== before.target;
    const epoch = (before?.epoch ?? 0) + (moved ? 1 : 0);
    const serving = this.#serving(before, target, { term, epoch });
    if (!moved && before.term === term && serving === before.serving) return;
    await this.#write({ term, epoch, target, serving }, moved);
  }

  #plan(from: Placement | undefined, members: readonly PlacementNode[]): Placement {
    const bytes = this.#bytes;
    // Balanced without knowing what is stored, all that lies right would move, and later back.
    if (bytes === undefined && from !== undefined && this.#isFull(from, members)) return from;
    const nodes = JSON.stringify(members);
    const planned = this.#planned;
    if (planned?.from === from && planned?.nodes === nodes && planned.bytes === bytes) return planned.target;
    const target = plan(from, members, bytes, { copies: this.#deps.ranks });
    this.#planned = { from, nodes, bytes, target };
    return target;
  }

  /** On these very nodes, with as many ranks as there should be. */
  #isFull(placement: Placement, members: readonly PlacementNode[]): boolean {
    const names = new Set<string>(members.map(({ node }) => node));
    const ranks = Math.min(this.#deps.ranks, names.size, MOST_RANKS);
    return (
      placement.ranks === ranks &&
      placement.nodes.length === names.size &&
      placement.nodes.every((node) => names.has(node))
    );
  }

  async #weigh(): Promise<void> {
    const { clock, weights, ranks, log } = this.#deps;
    const now = clock.monotonic();
    if (now < this.#weighAt) return;
    this.#weighAt = now + WEIGH_AGAIN_MS;
    try {
      const sums = await withDeadline(clock, WEIGH_DEADLINE_MS, weights);
      const bytes = sums?.weightsByRank(Math.min(ranks, MOST_RANKS));
      if (bytes === undefined) return;
      if (!isSame(bytes, this.#bytes)) this.#bytes = bytes;
      this.#weighAt = now + WEIGH_EVERY_MS;
    } catch (error) {
      log.warn({ actor: this.name, err: TroughError.from(error) }, 'what is stored could not be weighed');
    }
  }

  /** When the view shows it, and not when it was written: whoever is told asks this process, which answers by its view. */
  #announce(revision: number | undefined): void {
    if (revision === undefined || revision === this.#announced) return;
    this.#announced = revision;
    this.#deps.emit({ kind: 'placed' });
  }

  #step({ target: from, serving }: PlacementDocument, goal: Placement, present: ReadonlySet<string>): Placement {
    return stepToward({ from, serving, goal, present, limits: this.#deps.moves });
  }

  /** Make before break: the old holders serve until every node of the new placement that is not gone has said that its copies are complete. */
  #serving(before: PlacementDocument | undefined, target: Placement, now: { term: number; epoch: number }): Placement {
    const serving = before?.serving ?? NOBODY;
    const complete = target.nodes.every((node) => {
      const entry = this.#deps.view.node(node);
      if (entry === undefined || isGone(entry, this.#deps.rebuildAfterMs)) return true;
      const done = entry.beat?.complete;
      return done?.term === now.term && done.epoch === now.epoch;
    });
    // Compared by content: the two are decoded apart, and a placement that says nothing new must not be written each second.
    const same = serving.ranks === target.ranks && movedBetween(serving, target) === 0;
    return complete && !same ? target : serving;
  }

  async #write(document: PlacementDocument, moved: boolean): Promise<void> {
    const { store, clock, view, log } = this.#deps;
    const value = encodePlacement(document);
    const revision = view.placement()?.revision;
    try {
      await withDeadline(clock, STORE_DEADLINE_MS, (signal) =>
        revision === undefined
          ? store.create(keys.placement, value, signal)
          : store.update(keys.placement, value, revision, signal),
      );
    } catch (error) {
      log.debug(
        { actor: this.name, err: TroughError.from(error) },
        'the placement could not be written and is tried again',
      );
      return;
    }
    if (moved)
      log.info({ actor: this.name, epoch: document.epoch, nodes: document.target.nodes.length }, 'new placement');
  }
}

function isSame(one: SlotBytes, other: SlotBytes | undefined): boolean {
  return one.every((ofRank, rank) => ofRank.every((bytes, slot) => bytes === other?.[rank]?.[slot]));
}
