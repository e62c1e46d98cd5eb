import {
  type Journal,
  type JournalKey,
  type JournalRange,
  type JournalRecord,
  type NamedRecord,
} from '../../src/journal/journal.ts';
import { type JournalFate, type JournalLeg, MemoryJournal } from '../../src/journal/memory-journal.ts';
import { MemoryJournalServer } from '../../src/journal/memory-journal-server.ts';
import { decodeRecord, type SegmentRecord } from '../../src/messages/journal-record.ts';
import { type Random } from './random.ts';
import { type SimNetwork } from './sim-network.ts';
import { EPOCH_MS, type SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

export interface JournalWeather {
  readonly delayMs: number;
  /** The share of legs that take long: what was sent arrives when nobody thinks of it any more. */
  readonly slow: number;
  /** The share of requests, and of answers, that never come. */
  readonly lostThere: number;
  readonly lostBack: number;
}

export const CALM_JOURNAL: JournalWeather = { delayMs: 1, slow: 0, lostThere: 0, lostBack: 0 };

const STREAMS = 2;
const SLOW = { least: 500, most: 25_000 };
const RETRY_MS = 500;
const LIMIT_BYTES = 1024 ** 3;

/** The journal's servers: nothing that they took in is ever lost, but what is said to them and what they say may be, or come late. */
export class SimJournal {
  readonly server: MemoryJournalServer;
  readonly counts = { slow: 0, lostThere: 0, lostBack: 0 };
  readonly #random: Random;
  readonly #network: SimNetwork;
  weather: JournalWeather = CALM_JOURNAL;
  /** While false they are being started again. */
  isUp = true;
  /** Told of each record that a machine wants to append, before anything of that happens. */
  onAsk: (machine: string, kind: SegmentRecord['kind']) => void = () => undefined;

  constructor(timeline: Timeline, random: Random, network: SimNetwork) {
    this.#random = random;
    this.#network = network;
    this.server = new MemoryJournalServer({
      clock: {
        now: () => Math.floor(EPOCH_MS + timeline.now),
        monotonic: () => timeline.now,
        after: (delayMs, run) => timeline.after(delayMs, run),
        untilTick: (periodMs) => periodMs,
      },
      streams: STREAMS,
      limitBytes: LIMIT_BYTES,
    });
  }

  /** Without room for what is not reserved. */
  setFull(isFull: boolean): void {
    this.server.setLimit(isFull ? 4_000 : LIMIT_BYTES);
  }

  port(process: SimProcess, machine: string): Journal {
    const inner = new MemoryJournal(this.server, {
      clock: process,
      fate: (leg) => this.#fateOf(leg, machine),
      retryMs: RETRY_MS,
    });
    return new ProcessJournal(inner, process, (kind) => {
      this.onAsk(machine, kind);
    });
  }

  #fateOf({ way }: JournalLeg, machine: string): JournalFate {
    const { delayMs, slow, lostThere, lostBack } = this.weather;
    const isThere = way === 'there';
    if (!this.isUp || !this.#network.reaches(machine, isThere ? 'up' : 'down')) return { delayMs: 1, lost: true };
    if (this.#random.chance(isThere ? lostThere : lostBack)) {
      this.counts[isThere ? 'lostThere' : 'lostBack'] += 1;
      return { delayMs: 1, lost: true };
    }
    if (!this.#random.chance(slow)) return { delayMs: delayMs * this.#random.between(0.2, 1) };
    this.counts.slow += 1;
    return { delayMs: this.#random.scale(SLOW.least, SLOW.most) };
  }
}

/** The journal as one process has it: what it is told reaches it as everything does, when it runs. */
class ProcessJournal implements Journal {
  readonly #inner: MemoryJournal;
  readonly #process: SimProcess;
  readonly #onAsk: (kind: SegmentRecord['kind']) => void;

  constructor(inner: MemoryJournal, process: SimProcess, onAsk: (kind: SegmentRecord['kind']) => void) {
    this.#inner = inner;
    this.#process = process;
    this.#onAsk = onAsk;
  }

  get streams(): readonly string[] {
    return this.#inner.streams;
  }

  get recordLimitBytes(): number {
    return this.#inner.recordLimitBytes;
  }

  pickStream(name: string): string {
    return this.#inner.pickStream(name);
  }

  append(...[key, entry, expected, signal]: Parameters<Journal['append']>): Promise<number> {
    this.#onAsk(decodeRecord(entry.body).kind);
    return this.#told(this.#inner.append(key, entry, expected, signal));
  }

  last(key: JournalKey, signal?: AbortSignal): Promise<JournalRecord | undefined> {
    return this.#told(this.#inner.last(key, signal));
  }

  read(key: JournalKey, range: JournalRange, signal?: AbortSignal): AsyncIterable<JournalRecord> {
    return this.#each(this.#inner.read(key, range, signal));
  }

  readStream(stream: string, range: JournalRange, signal?: AbortSignal): AsyncIterable<NamedRecord> {
    return this.#each(this.#inner.readStream(stream, range, signal));
  }

  purge(key: JournalKey, belowSequence: number, signal?: AbortSignal): Promise<void> {
    return this.#told(this.#inner.purge(key, belowSequence, signal));
  }

  keys(stream: string, signal?: AbortSignal): AsyncIterable<string> {
    return this.#each(this.#inner.keys(stream, signal));
  }

  state(stream: string, signal?: AbortSignal): ReturnType<Journal['state']> {
    return this.#told(this.#inner.state(stream, signal));
  }

  usage(key: JournalKey, signal?: AbortSignal): ReturnType<Journal['usage']> {
    return this.#told(this.#inner.usage(key, signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner[Symbol.asyncDispose]();
  }

  async *#each<T>(items: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = items[Symbol.asyncIterator]();
    for (;;) {
      const next = await this.#told(iterator.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  #told<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const later = (settle: () => void): void => {
        this.#process.later(0, settle);
      };
      work.then(
        (value) => {
          later(() => {
            resolve(value);
          });
        },
        (error: unknown) => {
          later(() => {
            // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
            reject(error);
          });
        },
      );
    });
  }
}
