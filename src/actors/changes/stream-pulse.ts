import { TroughError } from '../../errors.ts';
import { type Journal, type JournalState } from '../../journal/journal.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { withDeadline } from '../../runtime/deadline.ts';

interface Waiter {
  readonly at: number;
  readonly wake: () => void;
  readonly fail: (error: TroughError) => void;
}

export interface StreamPulseDeps {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'state'>;
}

const LOOK_MS = 100;
const STATE_DEADLINE_MS = 5_000;

/** Wakes those who wait for something new in a stream: asks how far it is ten times a second while somebody waits, once for all of them. */
export class StreamPulse {
  readonly #deps: StreamPulseDeps;
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(deps: StreamPulseDeps) {
    this.#deps = deps;
  }

  /** Resolves when one of the streams is not at its sequence any more, or the signal fires. JOURNAL_LOST. */
  async elsewhere(sequences: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<undefined>();
    const wake = (): void => {
      woken.resolve(undefined);
    };
    const waiters = Array.from(sequences, ([stream, at]) => ({ stream, at, wake, fail: woken.reject }));
    if (signal.aborted || waiters.length === 0) return;
    signal.addEventListener('abort', wake);
    for (const waiter of waiters) this.#add(waiter.stream, waiter);
    try {
      await woken.promise;
    } finally {
      signal.removeEventListener('abort', wake);
      for (const waiter of waiters) this.#waiting.get(waiter.stream)?.delete(waiter);
    }
  }

  #add(stream: string, waiter: Waiter): void {
    const waiting = this.#waiting.get(stream);
    if (waiting !== undefined) {
      waiting.add(waiter);
      return;
    }
    const first = new Set([waiter]);
    this.#waiting.set(stream, first);
    void this.#look(stream, first);
  }

  async #look(stream: string, waiting: ReadonlySet<Waiter>): Promise<void> {
    for (;;) {
      await pause(this.#deps.clock, LOOK_MS);
      if (waiting.size === 0) break;
      try {
        const { lastSequence } = await this.#state(stream);
        for (const { at, wake } of waiting) if (at !== lastSequence) wake();
      } catch (error) {
        const known = TroughError.from(error);
        // One that does not answer now is asked again, for as long as somebody waits.
        if (known.code !== 'JOURNAL_UNREACHABLE') for (const { fail } of waiting) fail(known);
      }
    }
    this.#waiting.delete(stream);
  }

  #state(stream: string): Promise<JournalState> {
    const { clock, journal } = this.#deps;
    return withDeadline(clock, STATE_DEADLINE_MS, (signal) => journal.state(stream, signal));
  }
}
