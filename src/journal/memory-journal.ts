import { type TroughError } from '../errors.ts';
import { type Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';
import { checkEntry, checkKey, checkSequence } from './journal-checks.ts';
import { fenced, full, lost, stopping, unknownOutcome, unreachable } from './journal-errors.ts';
import {
  type Journal,
  type JournalEntry,
  type JournalKey,
  type JournalRange,
  type JournalRecord,
  type JournalState,
  type NamedRecord,
} from './journal.ts';
import { KeyLanes } from './key-lanes.ts';
import { type AppendAnswer, type MemoryJournalServer } from './memory-journal-server.ts';
import { ABORTED, orAborted } from './or-aborted.ts';
import { chooseStream } from './stream-choice.ts';
import { sizeOfRecords } from './size-of-records.ts';

/** One way of a call, on which something may happen to it. */
export interface JournalLeg {
  readonly call: 'append' | 'last' | 'read' | 'purge' | 'keys' | 'state';
  readonly way: 'there' | 'back';
  readonly stream: string;
  readonly name: string | undefined;
  /** Of the record, when one is appended. */
  readonly id: string | undefined;
  /** 1 for the first try of this call. */
  readonly attempt: number;
}

/** What happens on it; by default nothing. */
export interface JournalFate {
  /** By the server's clock: what is on its way arrives also when its sender is gone. */
  readonly delayMs?: number;
  /** The caller's side tries again after `retryMs`. */
  readonly lost?: boolean;
  /** Refused on arrival, `there` only. */
  readonly error?: TroughError;
}

export interface MemoryJournalOptions {
  readonly clock: Clock;
  readonly fate?: (leg: JournalLeg) => JournalFate | undefined;
  /** Wait before a call that was lost is tried again. Default 500. */
  readonly retryMs?: number;
}

type Call = Omit<JournalLeg, 'way' | 'attempt'>;

const CHUNK = 100;
const LOST = Symbol('lost');

/** One process's way to a journal in memory: for tests and the simulator, which decide what happens on each leg of a call. */
export class MemoryJournal implements Journal {
  readonly #server: MemoryJournalServer;
  readonly #options: MemoryJournalOptions;
  readonly #lanes = new KeyLanes();
  readonly #closing = new AbortController();
  #reachable = true;

  constructor(server: MemoryJournalServer, options: MemoryJournalOptions) {
    this.#server = server;
    this.#options = options;
  }

  get streams(): readonly string[] {
    return this.#server.streams;
  }

  get recordLimitBytes(): number {
    return this.#server.recordLimitBytes;
  }

  /** While false everything is lost on every way. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
  }

  pickStream(name: string): string {
    return chooseStream(name, this.streams.length);
  }

  async append(key: JournalKey, entry: JournalEntry, expected: number, signal?: AbortSignal): Promise<number> {
    checkEntry(key, entry, this.recordLimitBytes);
    checkSequence(expected, 'the expected sequence');
    const ended = this.#until(signal);
    const copy = { ...entry, body: Uint8Array.from(entry.body) };
    return this.#lanes.run(`${key.stream}.${key.name}`, () => this.#append(key, copy, expected, ended), ended);
  }

  async last(key: JournalKey, signal?: AbortSignal): Promise<JournalRecord | undefined> {
    checkKey(key);
    return this.#ask(callOf('last', key), this.#until(signal), () => this.#server.last(key));
  }

  async *read(key: JournalKey, range: JournalRange, signal?: AbortSignal): AsyncIterable<JournalRecord> {
    checkKey(key);
    const reach = (): number => this.#server.last(key)?.sequence ?? 0;
    const records = this.#read(callOf('read', key), range, reach, (from, through, most) =>
      this.#server.range(key, from, through, most),
    );
    yield* records(this.#until(signal));
  }

  async *readStream(stream: string, range: JournalRange, signal?: AbortSignal): AsyncIterable<NamedRecord> {
    const call = { call: 'read', stream, name: undefined, id: undefined } as const;
    const reach = (): number => this.#server.state(stream).lastSequence;
    const records = this.#read(call, range, reach, (from, through, most) =>
      this.#server.rangeOfAll(stream, from, through, most),
    );
    yield* records(this.#until(signal));
  }

  #read<R extends JournalRecord>(
    call: Call,
    { from, through, most }: JournalRange,
    reach: () => number,
    range: (from: number, through: number, most: number) => readonly R[],
  ): (ended: AbortSignal) => AsyncGenerator<R> {
    checkSequence(from, 'the first sequence');
    const ask = <T>(ended: AbortSignal, run: () => T): Promise<T> => this.#ask(call, ended, run);
    return async function* (ended) {
      const last = await ask(ended, reach);
      const end = through ?? last;
      if (last < end)
        throw lost(call.stream, `has ${call.name ?? 'records'} up to ${String(last)}, not up to ${String(end)}`);
      let left = most ?? { records: Infinity, bytes: Infinity };
      for (let next = from; left.records > 0 && left.bytes > 0;) {
        const begin = next;
        const count = Math.min(CHUNK, left.records);
        const records = await ask(ended, () => range(begin, end, count));
        for (const record of records) {
          if (left.bytes <= 0) return;
          yield record;
          left = { records: left.records - 1, bytes: left.bytes - record.body.length };
        }
        const reached = records.at(-1)?.sequence;
        if (reached === undefined) return;
        next = reached + 1;
      }
    };
  }

  async purge(key: JournalKey, belowSequence: number, signal?: AbortSignal): Promise<void> {
    checkKey(key);
    checkSequence(belowSequence, 'the sequence to purge up to');
    await this.#ask(callOf('purge', key), this.#until(signal), () => {
      this.#server.purge(key, belowSequence);
    });
  }

  async *keys(stream: string, signal?: AbortSignal): AsyncIterable<string> {
    const call = { call: 'keys', stream, name: undefined, id: undefined } as const;
    yield* await this.#ask(call, this.#until(signal), () => this.#server.keys(stream));
  }

  state(stream: string, signal?: AbortSignal): Promise<JournalState> {
    const call = { call: 'state', stream, name: undefined, id: undefined } as const;
    return this.#ask(call, this.#until(signal), () => this.#server.state(stream));
  }

  usage(key: JournalKey, signal?: AbortSignal): Promise<{ records: number; bytes: number }> {
    return sizeOfRecords(this.read(key, { from: 0 }, signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(stopping());
    return Promise.resolve();
  }

  async #append(key: JournalKey, entry: JournalEntry, expected: number, ended: AbortSignal): Promise<number> {
    const call: Call = { call: 'append', stream: key.stream, name: key.name, id: entry.id };
    let sent = false;
    const deliver = (): AppendAnswer => this.#server.append(key, entry, expected);
    for (let attempt = 1; ; attempt += 1) {
      if (ended.aborted) throw sent ? unknown(key, ended) : notSent(`nothing was appended for ${key.name}`, ended);
      const first = !sent;
      sent = true;
      const answer = await this.#travel({ ...call, attempt }, ended, deliver);
      if (answer === LOST) {
        await this.#pause(ended);
        continue;
      }
      switch (answer.kind) {
        case 'stored':
          return answer.sequence;
        case 'full':
          throw full(key, answer.bytes, answer.limitBytes);
        case 'hidden': {
          const found = this.#server.last(key)?.sequence ?? 0;
          throw first
            ? fenced(key, expected, found)
            : unknownOutcome(key, 'what stood there was purged since', undefined);
        }
        case 'refused':
          if (answer.found < expected) throw lost(key.stream, `ends at ${String(answer.found)} for ${key.name}`);
          throw fenced(key, expected, answer.found);
      }
    }
  }

  /** A call without lasting effect, tried until it is answered. */
  async #ask<T>(call: Call, ended: AbortSignal, run: () => T): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      if (ended.aborted) throw notSent(`no answer to ${call.call}`, ended);
      const answer = await this.#travel({ ...call, attempt }, ended, run);
      if (answer !== LOST) return answer;
      await this.#pause(ended);
    }
  }

  /** There, done, and back; LOST also when the signal fires first: what is on its way arrives all the same. */
  async #travel<T>(call: Omit<JournalLeg, 'way'>, ended: AbortSignal, run: () => T): Promise<T | typeof LOST> {
    const way = this.#wayThere(call, run);
    // A refusal that nobody waits for any more.
    way.catch(() => undefined);
    const answer = await orAborted(way, ended);
    return answer === ABORTED ? LOST : answer;
  }

  async #wayThere<T>(call: Omit<JournalLeg, 'way'>, run: () => T): Promise<T | typeof LOST> {
    const there = await this.#leg({ ...call, way: 'there' });
    if (there.lost === true) return LOST;
    if (there.error !== undefined) throw there.error;
    if (!this.#server.has(call.stream)) throw lost(call.stream, 'is not there');
    const answer = run();
    const back = await this.#leg({ ...call, way: 'back' });
    return back.lost === true ? LOST : answer;
  }

  async #leg(leg: JournalLeg): Promise<JournalFate> {
    const fate = this.#options.fate?.(leg) ?? {};
    const { delayMs = 0 } = fate;
    // Even the quickest answer takes a turn.
    if (delayMs > 0) await pause(this.#server.clock, delayMs);
    else await Promise.resolve();
    return this.#reachable ? fate : { ...fate, lost: true };
  }

  async #pause(ended: AbortSignal): Promise<void> {
    const over = Promise.withResolvers<undefined>();
    const cancel = this.#options.clock.after(this.#options.retryMs ?? 500, () => {
      over.resolve(undefined);
    });
    await orAborted(over.promise, ended);
    cancel();
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }
}

function callOf(call: JournalLeg['call'], { stream, name }: JournalKey): Call {
  return { call, stream, name, id: undefined };
}

function unknown(key: JournalKey, ended: AbortSignal): TroughError {
  return unknownOutcome(key, 'the wait for the answer was ended', ended.reason);
}

function notSent(what: string, ended: AbortSignal): TroughError {
  return unreachable(what, 'the wait was ended', ended.reason);
}
