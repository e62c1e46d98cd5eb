import { type ClusterView } from '../../messages/cluster-view.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type LeaseRevision } from '../../messages/node-messages.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';

export interface LeaseNewsDeps {
  readonly clock: Clock;
  readonly view: Pick<ClusterView, 'node' | 'nodes'>;
  readonly nodes: Pick<NodeCalls, 'applied'>;
  readonly self: { readonly node: string };
}

interface Batch {
  readonly leases: LeaseRevision[];
  readonly done: Promise<void>;
}

/**
 * A reader that has not heard of a lease for so long does not trust its view any more: it does so only while the leader's roll names a beat that it sent less than
 * 8 s ago and a revision that the view has, and a roll names what was written up to 3 s before. The rest is for what is on its way.
 */
const LIMIT_MS = 12_000;
/** A node whose beats are not heard for so long: no roll confirms it any more. */
const SILENT_MS = 9_000;
const AGAIN_MS = 200;
const MOST_LEASES = 500;

/**
 * Tells readers of leases that they may not know, so that none of them answers from a copy when the first write has been acknowledged. One question is under
 * way to each node; what comes meanwhile goes with the next.
 */
export class LeaseNews {
  readonly #deps: LeaseNewsDeps;
  readonly #next = new Map<string, Batch>();
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(deps: LeaseNewsDeps) {
    this.#deps = deps;
  }

  /** Resolves when every reader has the lease, or cannot take what it has for current any more. */
  async tell(lease: LeaseRevision): Promise<void> {
    const { clock, view, self } = this.#deps;
    const until = clock.monotonic() + LIMIT_MS;
    const names = view.nodes().map(({ document }) => document.node);
    await Promise.all(names.filter((name) => name !== self.node).map((name) => this.#tellNode(name, lease, until)));
  }

  async #tellNode(name: string, lease: LeaseRevision, until: number): Promise<void> {
    const { clock } = this.#deps;
    while (this.#counts(name) && clock.monotonic() < until) {
      try {
        await this.#ask(name, lease);
        return;
      } catch {
        // It is slow, or away: until it is known to be one of them it is asked again.
        await pause(clock, AGAIN_MS);
      }
    }
  }

  #counts(name: string): boolean {
    const entry = this.#deps.view.node(name);
    if (entry === undefined || !entry.document.roles.includes('reader')) return false;
    return entry.document.state === 'up' && entry.silentMs < SILENT_MS;
  }

  #ask(name: string, lease: LeaseRevision): Promise<void> {
    const waiting = this.#next.get(name);
    if (waiting !== undefined && waiting.leases.length < MOST_LEASES) {
      waiting.leases.push(lease);
      return waiting.done;
    }
    const leases = [lease];
    const batch = { leases, done: this.#send(name, leases) };
    this.#next.set(name, batch);
    return batch.done;
  }

  async #send(name: string, leases: readonly LeaseRevision[]): Promise<void> {
    const before = this.#underWay.get(name);
    const asked = Promise.resolve(before).then(() => {
      if (this.#next.get(name)?.leases === leases) this.#next.delete(name);
      return this.#deps.nodes.applied(name, leases);
    });
    const settled = asked.catch(() => undefined);
    this.#underWay.set(name, settled);
    try {
      await asked;
    } finally {
      if (this.#underWay.get(name) === settled) this.#underWay.delete(name);
    }
  }
}
