import { type ClusterView } from '../../messages/cluster-view.ts';
import { type Roll } from '../../messages/node-messages.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type LeadershipState } from './leadership.ts';

export interface RollCallMessage {
  readonly kind: 'tick';
}

export interface RollCallDeps {
  readonly view: ClusterView;
  readonly leadership: LeadershipState;
  readonly emit: Emit<Roll>;
  readonly node: string;
}

/** A leader whose own renewal is older than this says nothing: it may have been deposed. */
const RENEWED_WITHIN_MS = 3_000;

/** Says every second which beats the leader has heard, so that each node knows for itself whether it counts as alive. */
export class RollCall implements Actor<RollCallMessage> {
  readonly name = 'roll-call';
  readonly #deps: RollCallDeps;

  constructor(deps: RollCallDeps) {
    this.#deps = deps;
  }

  receive(): void {
    const { leadership, view, node } = this.#deps;
    if (leadership.term === undefined || leadership.renewedMs >= RENEWED_WITHIN_MS) return;
    const beats: Record<string, { session: string; sequence: number }> = {};
    for (const { document, beat, state } of view.nodes()) {
      // A node that is counted as lost hears so: its leases may be moving.
      if (beat === undefined || state === 'lost' || state === 'stopped') continue;
      beats[document.node] = { session: beat.session, sequence: beat.sequence };
    }
    this.#deps.emit({ term: leadership.term, node, revision: leadership.revision, beats });
  }
}
