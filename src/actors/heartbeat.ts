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
  #lapses = 0;
  /** The revision of the last roll, and when the beat that it names was sent: it was made after that, however late it came. */
  #lastRoll = { revision: 0, sentAt: -Infinity };
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
    this.#forgetAfterJump();
    return this.#deps.clock.monotonic() - this.#confirmedSentAt < CONFIRMED_FOR_MS;
  }

  /** Counts the stretches in which it was confirmed without a gap: between two of them the leader may have given its leases to others. */
  get lapses(): number {
    return this.#lapses;
  }

  /**
   * True when everything that was written to the metadata up to 11 s ago is in `revision`: the last roll was made after a beat of ours that is younger than
   * 8 s, and names what was there 3 s before it was made. A roll that was held up on its way says nothing of now.
   */
  isFresh(revision: number): boolean {
    this.#forgetAfterJump();
    const { revision: seen, sentAt } = this.#lastRoll;
    return revision >= seen && this.#deps.clock.monotonic() - sentAt < CONFIRMED_FOR_MS;
  }

  #forgetAfterJump(): void {
    const { clock } = this.#deps;
    const offsetMs = clock.now() - clock.monotonic();
    if (Math.abs(offsetMs - this.#offsetMs) <= 1_000) return;
    this.#offsetMs = offsetMs;
    this.#confirmedSentAt = -Infinity;
    this.#lastRoll = { ...this.#lastRoll, sentAt: -Infinity };
    this.#sent.clear();
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
    const mine = roll.beats[this.#deps.self.node];
    const sentAt = mine?.session === this.#deps.self.session ? this.#sent.get(mine.sequence) : undefined;
    this.#lastRoll = { revision: roll.revision, sentAt: sentAt ?? -Infinity };
    if (sentAt === undefined || sentAt <= this.#confirmedSentAt) return;
    if (!this.confirmed()) this.#lapses += 1;
    this.#confirmedSentAt = sentAt;
  }
}
