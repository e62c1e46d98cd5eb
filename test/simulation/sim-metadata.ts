import { TroughError } from '../../src/errors.ts';
import { checkKey, checkPrefix } from '../../src/metadata/key-rules.ts';
import { type Entry, type MetadataStore, type WatchEvent } from '../../src/metadata/metadata-store.ts';
import { type Random } from './random.ts';
import { type SimNetwork } from './sim-network.ts';
import { type SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

type Change = Exclude<WatchEvent, { kind: 'current' }>;

/** A change as the store took it in. */
export interface StoredChange {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly previous: Entry | undefined;
  /** The process that asked for it. */
  readonly by: string;
}

interface Watcher {
  readonly process: SimProcess;
  readonly machine: string;
  readonly prefix: string;
  readonly hear: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
  /** What was not delivered yet, in order. */
  queue: WatchEvent[];
  lastAt: number;
}

/** The store itself: one copy of the truth, reached by each process over its machine's connection. */
export class SimMetadata {
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #network: SimNetwork;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<Watcher>();
  #revision = 0;
  /** While false nobody reaches it, whatever the connections are. */
  #up = true;
  latencyMs = 1;
  watchLagMs = 1;
  onChange: (change: StoredChange) => void = () => undefined;
  onRemove: (removed: Entry, by: string) => void = () => undefined;

  constructor(timeline: Timeline, random: Random, network: SimNetwork) {
    this.#timeline = timeline;
    this.#random = random;
    this.#network = network;
    network.onChange(() => {
      this.#resume();
    });
  }

  setUp(up: boolean): void {
    this.#up = up;
    this.#resume();
  }

  /** It answers everybody who reaches it, and watches are not behind. */
  get isCalm(): boolean {
    return this.#up && this.latencyMs === 1 && this.watchLagMs === 1;
  }

  entry(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(prefix: string): Entry[] {
    return [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
  }

  reaches(machine: string, way: 'up' | 'down'): boolean {
    return this.#up && this.#network.reaches(machine, way);
  }

  legMs(): number {
    return this.latencyMs * this.#random.between(0.2, 1) * (this.#random.chance(0.01) ? 50 : 1);
  }

  handle(process: SimProcess, machine: string): MetadataStore {
    return new Handle(this, process, machine, this.#timeline);
  }

  put(key: string, value: Uint8Array, expected: number | undefined, by: string): number {
    const previous = this.#entries.get(key);
    if ((previous?.revision ?? 0) !== (expected ?? 0)) throw conflict(key, expected ?? 0, previous?.revision ?? 0);
    this.#revision += 1;
    const entry = { key, value: Uint8Array.from(value), revision: this.#revision };
    this.#entries.set(key, entry);
    this.onChange({ ...entry, previous, by });
    this.#tell({ kind: 'put', ...entry });
    return entry.revision;
  }

  remove(key: string, expected: number, by: string): void {
    const removed = this.#entries.get(key);
    if (removed?.revision !== expected) throw conflict(key, expected, removed?.revision ?? 0);
    this.#entries.delete(key);
    this.onRemove(removed, by);
    this.#revision += 1;
    this.#tell({ kind: 'delete', key, revision: this.#revision });
  }

  watch(watching: Omit<Watcher, 'queue' | 'lastAt'>): void {
    const present = this.entries(watching.prefix).map((entry): WatchEvent => ({ kind: 'put', ...entry }));
    const queue: WatchEvent[] = [...present, { kind: 'current', revision: this.#revision }];
    const watcher: Watcher = { ...watching, queue, lastAt: 0 };
    this.#watchers.add(watcher);
    const end = (): void => {
      this.#watchers.delete(watcher);
    };
    watching.signal.addEventListener('abort', end, { once: true });
    watching.process.onDeath(end);
    for (let at = 0; at < queue.length; at += 1) this.#deliverLater(watcher);
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers) {
      if (!change.key.startsWith(watcher.prefix)) continue;
      watcher.queue.push(change);
      this.#deliverLater(watcher);
    }
  }

  /** The next one of the queue, when its time has come and somebody is there; what waits meanwhile keeps its order. */
  #deliverLater(watcher: Watcher): void {
    const lagMs = this.watchLagMs * this.#random.between(0.1, 1);
    const at = Math.max(watcher.lastAt, this.#timeline.now + lagMs);
    watcher.lastAt = at;
    this.#timeline.at(at, () => {
      if (this.reaches(watcher.machine, 'down')) this.#deliver(watcher);
    });
  }

  #deliver(watcher: Watcher): void {
    const event = watcher.queue.shift();
    if (event === undefined) return;
    watcher.process.later(0, () => {
      if (!watcher.signal.aborted) watcher.hear(event);
    });
  }

  /** What was missed comes after a cut; what was replaced meanwhile may be left out. */
  #resume(): void {
    for (const watcher of this.#watchers) {
      if (!this.reaches(watcher.machine, 'down')) continue;
      if (watcher.queue.length > 1 && this.#random.chance(0.5)) watcher.queue = lastOfEach(watcher.queue);
      for (let at = 0; at < watcher.queue.length; at += 1) this.#deliverLater(watcher);
    }
  }
}

/** How long the driver tries by itself, ms. */
const DRIVER_MS = 8_000;
const RETRY_MS = 200;

/** The store as one process has it. A question is on its way there, then the answer is on its way back; each may be held up or lost by itself. */
class Handle implements MetadataStore {
  readonly #store: SimMetadata;
  readonly #process: SimProcess;
  readonly #machine: string;
  readonly #timeline: Timeline;
  #disposed = false;

  constructor(store: SimMetadata, process: SimProcess, machine: string, timeline: Timeline) {
    this.#store = store;
    this.#process = process;
    this.#machine = machine;
    this.#timeline = timeline;
  }

  get(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    checkKey(key);
    return this.#ask('none', signal, () => this.#store.entry(key));
  }

  create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number> {
    checkKey(key);
    return this.#ask('unknown', signal, () => this.#store.put(key, value, undefined, this.#process.name));
  }

  update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number> {
    checkKey(key);
    return this.#ask('unknown', signal, () => this.#store.put(key, value, expectedRevision, this.#process.name));
  }

  delete(key: string, expectedRevision: number, signal?: AbortSignal): Promise<void> {
    checkKey(key);
    return this.#ask('unknown', signal, () => {
      this.#store.remove(key, expectedRevision, this.#process.name);
    });
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<Entry> {
    checkPrefix(prefix);
    yield* await this.#ask('none', signal, () => this.#store.entries(prefix));
  }

  watch(prefix: string, hear: (event: WatchEvent) => void, signal: AbortSignal): void {
    checkPrefix(prefix);
    if (!signal.aborted) {
      this.#store.watch({ process: this.#process, machine: this.#machine, prefix, hear, signal });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    return Promise.resolve();
  }

  #ask<T>(afterwards: 'none' | 'unknown', signal: AbortSignal | undefined, apply: () => T): Promise<T> {
    if (this.#disposed) return Promise.reject(new TroughError('STOPPING', 'the metadata store is closed'));
    return new Promise((resolve, reject) => {
      const until = this.#timeline.now + DRIVER_MS;
      let isOver = false;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => {
        end(() => {
          reject(gaveUp(signal));
        });
      };
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort);
      const fail = (outcome: 'none' | 'unknown'): void => {
        end(() => {
          reject(new TroughError('METADATA_UNREACHABLE', 'the metadata store does not answer', { outcome }));
        });
      };
      const back = (settle: () => void): void => {
        this.#process.later(this.#store.legMs(), () => {
          if (isOver) return;
          if (this.#store.reaches(this.#machine, 'down')) end(settle);
          else if (this.#timeline.now > until) fail(afterwards);
          else {
            this.#process.later(RETRY_MS, () => {
              back(settle);
            });
          }
        });
      };
      const arrived = (): void => {
        const result = outcomeOf(apply);
        back(() => {
          if (result.ok) resolve(result.value);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as it was thrown
          else reject(result.error);
        });
      };
      const send = (): void => {
        if (isOver) return;
        if (this.#store.reaches(this.#machine, 'up')) {
          // It is on its way: neither the asker's death nor its patience changes what the store does with it.
          this.#timeline.after(this.#store.legMs(), arrived);
        } else if (this.#timeline.now > until) fail('none');
        else this.#process.later(RETRY_MS, send);
      };
      send();
    });
  }
}

function outcomeOf<T>(apply: () => T): { ok: true; value: T } | { ok: false; error: unknown } {
  try {
    return { ok: true, value: apply() };
  } catch (error) {
    return { ok: false, error };
  }
}

function lastOfEach(queue: readonly WatchEvent[]): WatchEvent[] {
  const last = new Map<string, WatchEvent>();
  for (const event of queue) if (event.kind !== 'current') last.set(event.key, event);
  return queue.filter((event) => event.kind === 'current' || last.get(event.key) === event);
}

function conflict(key: string, expected: number, found: number): TroughError {
  const message = `${key} is at revision ${String(found)}, expected ${String(expected)}`;
  return new TroughError('METADATA_CONFLICT', message, { key, expected, found });
}

function gaveUp(signal: AbortSignal | undefined): TroughError {
  const reason: unknown = signal?.reason;
  return reason instanceof TroughError
    ? reason
    : new TroughError('METADATA_UNREACHABLE', 'the caller gave up', { outcome: 'unknown' }, reason);
}
