import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, type LeaseEntry } from '../../messages/cluster-view.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { LeaseStore } from '../shared/lease-store.ts';

export interface SweeperMessage {
  readonly kind: 'tick';
}

export interface LeaseSweeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  readonly store: MetadataStore;
  /** How long this process has led without a break, ms; undefined when it does not lead. */
  readonly leadingMs: () => number | undefined;
}

/** What an old leader confirmed last is good for 8 s, and it may have been said 3 s after its last renewal. */
const SETTLED_AFTER_MS = 12_000;
const STORE_DEADLINE_MS = 10_000;

/** A new leader takes no lease from its holder before what an old one may have confirmed has run out. */
export function isSettled(leadingMs: number | undefined): boolean {
  return (leadingMs ?? 0) >= SETTLED_AFTER_MS;
}

/** Every acknowledged write is in cold storage, or there was none: another node may start from there. */
export function mayMove({ document }: LeaseEntry): boolean {
  return !document.unpromoted;
}

/** Gives back the leases of lost nodes whose every acknowledged write is in cold storage, so that copies answer for them. */
export class LeaseSweeper implements Actor<SweeperMessage> {
  readonly name = 'lease-sweeper';
  readonly #deps: LeaseSweeperDeps;
  readonly #leases: LeaseStore;
  readonly #tasks = new KeyedTasks({ parallel: 8, waiting: Infinity });
  readonly #underWay = new Set<string>();

  constructor(deps: LeaseSweeperDeps) {
    this.#deps = deps;
    this.#leases = new LeaseStore(deps, STORE_DEADLINE_MS);
  }

  receive(): void {
    const { view, leadingMs } = this.#deps;
    if (!isSettled(leadingMs())) return;
    const lost = view.nodes().filter(({ state, document }) => state === 'lost' && view.leasesOf(document.node) > 0);
    if (lost.length === 0) return;
    const names = new Set(lost.map(({ document }) => document.node));
    for (const lease of view.leases()) {
      const { state, node, version, segment } = lease.document;
      if (state !== 'held' || !names.has(node) || version === null || !mayMove(lease)) continue;
      if (!this.#underWay.has(segment)) this.#giveBack(lease);
    }
  }

  stop(): Promise<void> {
    return this.#tasks.idle();
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
