import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, type LeaseEntry, type NodeEntry } from '../../messages/cluster-view.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { isGone, isJournaled } from './lease-mover.ts';
import { LeaseStore } from '../shared/lease-store.ts';

export type SweeperMessage =
  | { readonly kind: 'tick' }
  /** Somebody waits for it: it does not wait for its turn. */
  | { readonly kind: 'wanted'; readonly segment: string };

export interface LeaseSweeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly store: MetadataStore;
  /** How long nobody else can have led, ms; undefined when this process does not lead. */
  readonly aloneMs: () => number | undefined;
  /** Asks for the lease to be moved if its holder is gone. */
  readonly takeOver: (segment: string) => Promise<unknown>;
}

/** What an old leader confirmed last is good for 8 s, and it may have said so 3 s after its last renewal. */
const SETTLED_AFTER_MS = 12_000;
/** Segments that are on their way to other nodes at a time. */
const TAKE_OVERS = 32;
/** Beside those, when somebody waits for them. */
const MOST_WANTED = 16;

/** A new leader takes no lease from its holder before what an old one may have confirmed has run out. */
export function isSettled(aloneMs: number | undefined): boolean {
  return (aloneMs ?? 0) >= SETTLED_AFTER_MS;
}

/** Every acknowledged write is in cold storage or in the journal, or there was none: another node may start from there. */
export function mayMove(lease: LeaseEntry): boolean {
  return !lease.document.unpromoted || isJournaled(lease);
}

/**
 * Sees to the leases of nodes that are gone: another writer takes over what has a journal; of the rest those are given back whose every
 * acknowledged write is in cold storage, so that copies answer for them.
 */
export class LeaseSweeper implements Actor<SweeperMessage> {
  readonly name = 'lease-sweeper';
  readonly #deps: LeaseSweeperDeps;
  readonly #leases: LeaseStore;
  readonly #tasks = new KeyedTasks({ parallel: 8, waiting: Infinity });
  readonly #moves = new KeyedTasks({ parallel: TAKE_OVERS, waiting: Infinity });
  readonly #underWay = new Set<string>();
  readonly #hurried = new KeyedTasks({ parallel: MOST_WANTED, waiting: Infinity });
  readonly #wanted = new Set<string>();

  constructor(deps: LeaseSweeperDeps) {
    this.#deps = deps;
    this.#leases = new LeaseStore(deps);
  }

  receive(message: SweeperMessage): void {
    if (!isSettled(this.#deps.aloneMs())) return;
    switch (message.kind) {
      case 'tick':
        this.#sweep();
        return;
      case 'wanted':
        this.#hurry(message.segment);
        return;
      default:
        unreachable(message);
    }
  }

  #sweep(): void {
    const { view } = this.#deps;
    const gone = view.nodes().filter((entry) => isGone(entry) && view.leasesOf(entry.document.node) > 0);
    if (gone.length === 0) return;
    const states = new Map(gone.map(({ document, state }) => [document.node, state]));
    const moving: LeaseEntry[] = [];
    for (const lease of view.leases()) {
      const { state, node, version, segment } = lease.document;
      const holder = states.get(node);
      if (state !== 'held' || holder === undefined || this.#underWay.has(segment)) continue;
      if (isJournaled(lease)) moving.push(lease);
      else if (holder === 'lost' && version !== null && mayMove(lease)) this.#giveBack(lease);
    }
    for (const lease of hottestFirst(moving, gone)) this.#takeOver(lease, this.#moves, this.#underWay);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#tasks.idle(), this.#moves.idle(), this.#hurried.idle()]);
  }

  /** Where it waits for its turn as well, nothing is left to do when that comes. */
  #hurry(segment: string): void {
    const { view } = this.#deps;
    const lease = view.lease(segment);
    if (lease?.document.state !== 'held' || !isJournaled(lease) || this.#wanted.has(segment)) return;
    if (isGone(view.node(lease.document.node))) this.#takeOver(lease, this.#hurried, this.#wanted);
  }

  #takeOver({ document: { segment, node } }: LeaseEntry, tasks: KeyedTasks, underWay: Set<string>): void {
    underWay.add(segment);
    void tasks
      .run(segment, () => this.#deps.takeOver(segment))
      .catch((error: unknown) => {
        const err = TroughError.from(error);
        this.#deps.log.info({ segment, node, err }, 'the lease of a node that is gone is not with another yet');
      })
      .finally(() => underWay.delete(segment));
  }

  #giveBack({ document, revision }: LeaseEntry): void {
    const { log } = this.#deps;
    const { segment, node } = document;
    this.#underWay.add(segment);
    void this.#tasks
      .run(segment, () => this.#leases.write({ ...document, state: 'released' }, revision))
      .then(() => {
        log.info({ segment, node }, 'the lease of a lost node was given back: all of its writes are published');
      })
      .catch((error: unknown) => {
        log.debug({ segment, err: TroughError.from(error) }, 'the lease of a lost node has changed meanwhile');
      })
      .finally(() => this.#underWay.delete(segment));
  }
}

/** Those that are waited for: in the order in which their holders said they were written most, then what was written since it was promoted. */
function hottestFirst(leases: readonly LeaseEntry[], holders: readonly NodeEntry[]): readonly LeaseEntry[] {
  const ranks = new Map(
    holders.flatMap(({ beat }) => (beat?.written ?? []).map((segment, rank): [string, number] => [segment, rank])),
  );
  const rankOf = ({ document: { segment, unpromoted } }: LeaseEntry): number =>
    ranks.get(segment) ?? (unpromoted ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER);
  return leases.toSorted((one, other) => rankOf(one) - rankOf(other));
}
