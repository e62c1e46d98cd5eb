import { type Clock } from '../runtime/clock.ts';
import { ORDINARY_SHARE } from './journal-checks.ts';
import {
  type JournalEntry,
  type JournalKey,
  type JournalRecord,
  type JournalState,
  type NamedRecord,
} from './journal.ts';
import { streamNames } from './stream-choice.ts';

export interface MemoryJournalServerOptions {
  readonly clock: Clock;
  /** Default 4. */
  readonly streams?: number;
  /** Of each stream. Default 1 GiB. */
  readonly limitBytes?: number;
  readonly ordinaryShare?: number;
  /** Default 1 MiB. */
  readonly recordLimitBytes?: number;
}

/** With what it was appended after, which tells a record that never came from one that was purged. */
interface Stored extends JournalRecord {
  readonly after: number;
}

export type AppendAnswer =
  | { readonly kind: 'stored'; readonly sequence: number }
  | { readonly kind: 'refused'; readonly found: number }
  | { readonly kind: 'hidden' }
  | { readonly kind: 'full'; readonly bytes: number; readonly limitBytes: number };

/** What a record takes besides its body, id and name. */
const OVERHEAD_BYTES = 64;

interface Stream {
  incarnation: string;
  lastSequence: number;
  bytes: number;
  records: number;
  readonly keys: Map<string, Stored[]>;
}

/** The journal's contents in memory, shared by every `MemoryJournal` on it, as JetStream is; each call happens at once and whole. */
export class MemoryJournalServer {
  readonly clock: Clock;
  readonly recordLimitBytes: number;
  readonly #ordinaryShare: number;
  readonly #streams = new Map<string, Stream>();
  #limitBytes: number;
  #incarnations = 0;
  /** Told of each record that was taken in. */
  onAppend: (key: JournalKey, record: JournalRecord, after: number) => void = () => undefined;
  /** Told of each purge, once it is done. */
  onPurge: (key: JournalKey) => void = () => undefined;

  constructor(options: MemoryJournalServerOptions) {
    this.clock = options.clock;
    this.recordLimitBytes = options.recordLimitBytes ?? 1024 * 1024;
    this.#limitBytes = options.limitBytes ?? 1024 ** 3;
    this.#ordinaryShare = options.ordinaryShare ?? ORDINARY_SHARE;
    for (const name of streamNames(options.streams ?? 4)) this.lose(name);
  }

  get streams(): readonly string[] {
    return [...this.#streams.keys()];
  }

  /** Everything in the stream is gone; it is another one from now on. */
  lose(stream: string): void {
    this.#incarnations += 1;
    const incarnation = `memory-${String(this.#incarnations)}`;
    this.#streams.set(stream, { incarnation, lastSequence: 0, bytes: 0, records: 0, keys: new Map() });
  }

  setLimit(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  has(stream: string): boolean {
    return this.#streams.has(stream);
  }

  append(key: JournalKey, entry: JournalEntry, expected: number): AppendAnswer {
    const stream = this.#stream(key.stream);
    const chain = stream.keys.get(key.name) ?? [];
    const found = chain.at(-1)?.sequence ?? 0;
    if (found !== expected) return standing(chain, entry.id, expected, found);
    const bytes = stream.bytes + sizeOf(key.name, entry);
    const limitBytes = this.#limitBytes * (entry.reserved === true ? 1 : this.#ordinaryShare);
    if (bytes > limitBytes) return { kind: 'full', bytes: stream.bytes, limitBytes };
    stream.lastSequence += 1;
    stream.records += 1;
    stream.bytes = bytes;
    const record: Stored = {
      sequence: stream.lastSequence,
      id: entry.id,
      body: Uint8Array.from(entry.body),
      timeMs: this.clock.now(),
      after: expected,
    };
    chain.push(record);
    stream.keys.set(key.name, chain);
    this.onAppend(key, asRecord(record), expected);
    return { kind: 'stored', sequence: record.sequence };
  }

  last(key: JournalKey): JournalRecord | undefined {
    const record = this.#stream(key.stream).keys.get(key.name)?.at(-1);
    return record === undefined ? undefined : asRecord(record);
  }

  /** At most `most` of them. */
  range(key: JournalKey, from: number, through: number, most: number): JournalRecord[] {
    const chain = this.#stream(key.stream).keys.get(key.name) ?? [];
    const begin = chain.findIndex(({ sequence }) => sequence >= from);
    if (begin < 0) return [];
    return chain
      .slice(begin, begin + most)
      .filter(({ sequence }) => sequence <= through)
      .map(asRecord);
  }

  /** The same over all keys of a stream. */
  rangeOfAll(stream: string, from: number, through: number, most: number): NamedRecord[] {
    const found = Array.from(this.#stream(stream).keys, ([name, chain]) =>
      chain.filter(({ sequence }) => sequence >= from && sequence <= through).map((r) => ({ ...asRecord(r), name })),
    );
    return found
      .flat()
      .sort((one, other) => one.sequence - other.sequence)
      .slice(0, most);
  }

  purge(key: JournalKey, belowSequence: number): void {
    const stream = this.#stream(key.stream);
    const chain = stream.keys.get(key.name) ?? [];
    const kept = chain.findIndex(({ sequence }) => sequence >= belowSequence);
    const removed = chain.splice(0, kept < 0 ? Math.max(0, chain.length - 1) : kept);
    stream.records -= removed.length;
    for (const record of removed) stream.bytes -= sizeOf(key.name, record);
    this.onPurge(key);
  }

  keys(stream: string): string[] {
    return [...this.#stream(stream).keys.keys()];
  }

  state(name: string): JournalState {
    const { incarnation, lastSequence, records, bytes } = this.#stream(name);
    const ordinaryLimitBytes = this.#limitBytes * this.#ordinaryShare;
    return { incarnation, lastSequence, records, bytes, limitBytes: this.#limitBytes, ordinaryLimitBytes };
  }

  /** Only after `has`. */
  #stream(name: string): Stream {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw new RangeError(`no stream ${name}`);
    return stream;
  }
}

/** What stands behind `expected` tells what became of a record with that expectation. */
function standing(chain: readonly Stored[], id: string, expected: number, found: number): AppendAnswer {
  const next = chain.find(({ sequence }) => sequence > expected);
  if (next === undefined) return { kind: 'refused', found };
  if (next.after !== expected) return { kind: 'hidden' };
  return next.id === id ? { kind: 'stored', sequence: next.sequence } : { kind: 'refused', found };
}

function sizeOf(name: string, { id, body }: JournalEntry): number {
  return OVERHEAD_BYTES + Buffer.byteLength(name) + id.length + body.length;
}

function asRecord({ sequence, id, body, timeMs }: Stored): JournalRecord {
  return { sequence, id, body: Uint8Array.from(body), timeMs };
}
