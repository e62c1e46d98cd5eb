import { TroughError } from '../../errors.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { fenced, full, lost, unknownOutcome, unreachable } from '../journal-errors.ts';
import { ABORTED, orAborted } from '../or-aborted.ts';
import { type JournalApi, type Letter, type Outcome } from './journal-api.ts';
import { type Shipper } from './shipper.ts';
import { type StreamGauge } from './stream-gauge.ts';
import { type Connectedness, whenConnected } from './waiting.ts';

export interface AppenderDeps {
  readonly api: Pick<JournalApi, 'publish' | 'look'> & { readonly requests: Connectedness };
  readonly shipper: Pick<Shipper, 'ship' | 'withdraw'>;
  readonly gauge: Pick<StreamGauge, 'add' | 'bytes' | 'ordinaryLimitBytes'>;
  readonly clock: Clock;
  /** 0 ≤ value < 1. */
  readonly random: () => number;
  /** A key that ends before what was expected is taken for lost when the leader says so for so long; on one server, at once. */
  readonly lostAfterMs: number;
}

const RETRY = { leastMs: 20, mostMs: 100 };
/** Each letter that is being tried again makes all of them this much slower. */
const CROWD_MS = 0.2;

type Settled =
  | { readonly kind: 'stored'; readonly sequence: number }
  | { readonly kind: 'fenced'; readonly found: number }
  /** What would tell was purged. */
  | { readonly kind: 'hidden' }
  | { readonly kind: 'behind'; readonly found: number }
  | { readonly kind: 'again'; readonly reason: string };

/**
 * Brings the letters of one stream to their ends. A lost or doubtful answer is followed by the same message again (its expectation lets it in once),
 * and by a look at what the leader has behind the expectation: this record, another one, or nothing.
 */
export class Appender {
  readonly #deps: AppenderDeps;
  #retrying = 0;

  constructor(deps: AppenderDeps) {
    this.#deps = deps;
  }

  /**
   * The sequence. Errors: those of `Journal.append`. `ended`: `giveUp`, or the journal is closed, which ends all that is under way by
   * itself: thousands of listeners on one signal are slow.
   */
  async append(letter: Letter, ended: AbortSignal, giveUp: AbortSignal | undefined): Promise<number> {
    const { shipper, gauge } = this.#deps;
    const shipped = shipper.ship(letter);
    const first = giveUp === undefined ? await shipped : await orAborted(shipped, ended);
    if (first === ABORTED) {
      if (shipper.withdraw(letter))
        throw unreachable(`nothing was appended for ${letter.key.name}`, 'the wait was ended', ended.reason);
      throw unknownOutcome(letter.key, 'the wait for the answer was ended', ended.reason);
    }
    const sequence = await this.#follow(letter, first, ended);
    gauge.add(letter.sizeBytes);
    return sequence;
  }

  async #follow(letter: Letter, first: Outcome, ended: AbortSignal): Promise<number> {
    let outcome: Outcome = first;
    let mayHaveLanded = false;
    let behindSince: number | undefined;
    this.#retrying += 1;
    try {
      for (;;) {
        const settled = await this.#judge(letter, outcome, mayHaveLanded);
        mayHaveLanded ||= outcome.kind === 'unknown' && outcome.arrived;
        switch (settled.kind) {
          case 'stored':
            return settled.sequence;
          case 'fenced':
            throw fenced(letter.key, letter.expected, settled.found);
          case 'hidden':
            throw unknownOutcome(letter.key, 'what would tell was purged since', undefined);
          case 'behind':
            behindSince ??= this.#deps.clock.monotonic();
            if (this.#deps.clock.monotonic() - behindSince >= this.#deps.lostAfterMs)
              throw tooShort(letter, settled.found);
            break;
          case 'again':
            behindSince = undefined;
        }
        await this.#rest(ended);
        if (ended.aborted) throw givenUp(letter, mayHaveLanded, settled, ended);
        const again = await orAborted(this.#deps.api.publish(letter), ended);
        outcome = again === ABORTED ? { kind: 'unknown', reason: 'the wait was ended', arrived: true } : again;
      }
    } finally {
      this.#retrying -= 1;
    }
  }

  /** What an outcome means, after a look at the leader where it does not say. */
  async #judge(letter: Letter, outcome: Outcome, mayHaveLanded: boolean): Promise<Settled> {
    switch (outcome.kind) {
      case 'stored':
        return outcome;
      case 'unknown':
        return { kind: 'again', reason: outcome.reason };
      case 'refused':
        return this.#look(letter, mayHaveLanded);
      case 'full':
        if (!mayHaveLanded) throw full(letter.key, this.#deps.gauge.bytes, this.#deps.gauge.ordinaryLimitBytes);
        return this.#look(letter, mayHaveLanded);
      case 'impossible':
        if (!mayHaveLanded) throw new TroughError('INTERNAL', `JetStream refuses a record: ${outcome.reason}`);
        return this.#look(letter, mayHaveLanded);
    }
  }

  /** The first record behind the expectation is this one, or shows that it never came. */
  async #look(letter: Letter, mayHaveLanded: boolean): Promise<Settled> {
    const { api } = this.#deps;
    const next = await api.look(letter, letter.expected + 1);
    if (next.kind === 'failed') return { kind: 'again', reason: next.reason };
    if (next.record !== undefined) {
      const { messageId, sequence, after } = next.record;
      if (messageId === letter.messageId) return { kind: 'stored', sequence };
      return mayHaveLanded && after !== letter.expected
        ? { kind: 'hidden' }
        : { kind: 'fenced', found: await this.#lastOf(letter, sequence) };
    }
    const last = await api.look(letter);
    if (last.kind === 'failed') return { kind: 'again', reason: last.reason };
    const found = last.record?.sequence ?? 0;
    // Equal, or newer than a moment ago: something is under way, perhaps this very record.
    return found < letter.expected
      ? { kind: 'behind', found }
      : { kind: 'again', reason: 'another publish is under way' };
  }

  async #lastOf(letter: Letter, atLeast: number): Promise<number> {
    const last = await this.#deps.api.look(letter);
    return last.kind === 'found' ? Math.max(atLeast, last.record?.sequence ?? 0) : atLeast;
  }

  /** Not all at the same moment, and not without a connection. */
  async #rest(ended: AbortSignal): Promise<void> {
    const { clock, random, api } = this.#deps;
    const spread = RETRY.mostMs - RETRY.leastMs + this.#retrying * CROWD_MS;
    await pause(clock, RETRY.leastMs + random() * spread, ended);
    await whenConnected(api.requests, ended);
  }
}

function tooShort({ key, expected }: Letter, found: number): TroughError {
  return lost(
    key.stream,
    `has ${key.name} up to ${String(found)}, not up to ${String(expected)}: it is another one, or was set back`,
  );
}

function givenUp({ key }: Letter, mayHaveLanded: boolean, settled: Settled, ended: AbortSignal): TroughError {
  const reason = settled.kind === 'again' ? settled.reason : 'the journal does not go that far';
  if (mayHaveLanded) return unknownOutcome(key, reason, ended.reason);
  return unreachable(`nothing was appended for ${key.name}`, reason, ended.reason);
}
