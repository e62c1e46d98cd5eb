import { unreachable } from '../errors.ts';
import { type Beat, type Roll } from '../messages/node-messages.ts';
import { type Actor, type Emit } from '../runtime/actor.ts';
import { type Clock } from '../runtime/clock.ts';

export type HeartbeatMessage = { readonly kind: 'tick' } | { readonly kind: 'roll'; readonly roll: Roll };

export type Vitals = Omit<Beat, 'node' | 'session' | 'sequence'>;

export interface HeartbeatDeps {
  readonly clock: Clock;
  readonly emit: Emit<Beat>;
  readonly self: { readonly node: string; readonly session: string };
  readonly vitals: () => Vitals;
}

/** A beat older than this confirms nothing any more. Below the 10 s after which the leader may move a silent node's leases. */
const CONFIRMED_FOR_MS = 8_000;
const KEPT_BEATS = 16;

/**
 * Says every 2 s that this process lives, and remembers what the leader has heard of it: a beat that the leader's roll names was sent at a
 * time that only our own clock measures, so the answer needs no clock that two machines share (as leases in Gray and Cheriton, 1989).
 */
export class Heartbeat implements Actor<HeartbeatMessage> {
  readonly name = 'heartbeat';
  readonly #deps: HeartbeatDeps;
  readonly #sent = new Map<number, number>();
  #sequence = 0;
  #term = 0;
  #confirmedSentAt = -Infinity;
  #lastRoll = { revision: 0, heardAt: -Infinity };
  /** Wall minus monotonic: a jump means that this machine slept or its clock was set, so nothing measured before counts. */
  #offsetMs: number;

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps;
    this.#offsetMs = deps.clock.now() - deps.clock.monotonic();
  }

  receive(message: HeartbeatMessage): void {
    switch (message.kind) {
      case 'tick':
        this.#beat();
        return;
      case 'roll':
        this.#rolled(message.roll);
        return;
      default:
        unreachable(message);
    }
  }

  /** True while the leader is known to count this process as alive. */
  confirmed(): boolean {
    const { clock } = this.#deps;
    const offsetMs = clock.now() - clock.monotonic();
    if (Math.abs(offsetMs - this.#offsetMs) > 1_000) {
      this.#offsetMs = offsetMs;
      this.#confirmedSentAt = -Infinity;
      this.#sent.clear();
    }
    return clock.monotonic() - this.#confirmedSentAt < CONFIRMED_FOR_MS;
  }

  /** True when everything that the leader had seen of the metadata a few seconds ago is in `revision`. */
  isFresh(revision: number): boolean {
    const { revision: seen, heardAt } = this.#lastRoll;
    return revision >= seen && this.#deps.clock.monotonic() - heardAt < CONFIRMED_FOR_MS;
  }

  #beat(): void {
    this.#sequence += 1;
    this.#sent.set(this.#sequence, this.#deps.clock.monotonic());
    this.#sent.delete(this.#sequence - KEPT_BEATS);
    this.#deps.emit({ ...this.#deps.self, sequence: this.#sequence, ...this.#deps.vitals() });
  }

  #rolled(roll: Roll): void {
    if (roll.term < this.#term) return;
    this.#term = roll.term;
    this.#lastRoll = { revision: roll.revision, heardAt: this.#deps.clock.monotonic() };
    const mine = roll.beats[this.#deps.self.node];
    if (mine?.session !== this.#deps.self.session) return;
    const sentAt = this.#sent.get(mine.sequence);
    if (sentAt !== undefined && sentAt > this.#confirmedSentAt) this.#confirmedSentAt = sentAt;
  }
}
