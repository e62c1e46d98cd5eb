import { TroughError } from '../errors.ts';
import { type ClusterView } from '../messages/cluster-view.ts';
import { type LeaseRevision } from '../messages/node-messages.ts';
import { type Clock } from '../runtime/clock.ts';

export interface AppliedLeasesDeps {
  readonly clock: Clock;
  readonly view: Pick<ClusterView, 'lease'>;
}

interface Waiter {
  readonly leases: readonly LeaseRevision[];
  readonly done: () => void;
}

/** Who asks hears so, and asks again while it is worth it. */
const PATIENCE_MS = 1_000;

/** Says when this process knows of leases: from then on its reads go by them. A holder asks before it acknowledges its first write. */
export class AppliedLeases {
  readonly #deps: AppliedLeasesDeps;
  readonly #waiting = new Set<Waiter>();

  constructor(deps: AppliedLeasesDeps) {
    this.#deps = deps;
  }

  /** To be called when the view has another lease. */
  heard(): void {
    for (const waiter of this.#waiting) if (this.#has(waiter.leases)) waiter.done();
  }

  /** Resolves when the view has all of them, these revisions or later ones. BUS_TIMEOUT when it takes long. */
  async reached(leases: readonly LeaseRevision[]): Promise<void> {
    if (this.#has(leases)) return;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter = {
      leases,
      done: () => {
        resolve(undefined);
      },
    };
    this.#waiting.add(waiter);
    const cancel = this.#deps.clock.after(PATIENCE_MS, () => {
      reject(new TroughError('BUS_TIMEOUT', 'this node has not heard of these leases yet'));
    });
    try {
      await promise;
    } finally {
      cancel();
      this.#waiting.delete(waiter);
    }
  }

  #has(leases: readonly LeaseRevision[]): boolean {
    return leases.every(({ segment, revision }) => (this.#deps.view.lease(segment)?.revision ?? 0) >= revision);
  }
}
