import { TroughError } from '../errors.ts';
import { checkKey, checkPrefix } from './key-rules.ts';
import { type Entry, type MetadataStore, type WatchEvent } from './metadata-store.ts';

interface Watcher {
  readonly prefix: string;
  readonly hear: (event: WatchEvent) => void;
  readonly signal: AbortSignal;
  queue: WatchEvent[];
  draining: boolean;
}

/** Metadata in memory, for tests and the simulator: shared by all who hold it, as NATS is. */
export class MemoryMetadata implements MetadataStore {
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new Set<Watcher>();
  #revision = 0;
  #reachable = true;
  #disposed = false;

  /** While false every call is METADATA_UNREACHABLE and watchers hear nothing; what they missed comes afterwards. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
    if (reachable) for (const watcher of this.#watchers) this.#drain(watcher);
  }

  async get(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    await this.#enter(key, signal);
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : copy(entry);
  }

  async create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number> {
    await this.#enter(key, signal);
    const present = this.#entries.get(key);
    if (present !== undefined) throw conflict(key, 0, present.revision);
    return this.#put(key, value);
  }

  async update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number> {
    await this.#enter(key, signal);
    this.#compare(key, expectedRevision);
    return this.#put(key, value);
  }

  async delete(key: string, expectedRevision: number, signal?: AbortSignal): Promise<void> {
    await this.#enter(key, signal);
    this.#compare(key, expectedRevision);
    this.#entries.delete(key);
    this.#revision += 1;
    this.#tell({ kind: 'delete', key, revision: this.#revision });
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<Entry> {
    checkPrefix(prefix);
    await this.#enter('list', signal);
    for (const entry of [...this.#entries.values()]) {
      if (!entry.key.startsWith(prefix)) continue;
      await this.#enter(entry.key, signal);
      yield copy(entry);
    }
  }

  watch(prefix: string, hear: (event: WatchEvent) => void, signal: AbortSignal): void {
    checkPrefix(prefix);
    if (signal.aborted) return;
    const present = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix)).map(asPut);
    const queue: WatchEvent[] = [...present, { kind: 'current', revision: this.#revision }];
    const watcher: Watcher = { prefix, hear, signal, queue, draining: false };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => this.#watchers.delete(watcher), { once: true });
    this.#drain(watcher);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#watchers.clear();
    return Promise.resolve();
  }

  /** A turn of the event loop, as every real store takes one; then the reasons not to answer. */
  async #enter(key: string, signal: AbortSignal | undefined): Promise<void> {
    checkKey(key);
    await Promise.resolve();
    if (this.#disposed) throw new TroughError('STOPPING', 'the metadata store is closed');
    if (signal?.aborted === true) throw abortError(signal);
    if (!this.#reachable) throw new TroughError('METADATA_UNREACHABLE', 'the metadata store does not answer', { key });
  }

  #compare(key: string, expectedRevision: number): void {
    const revision = this.#entries.get(key)?.revision ?? 0;
    if (revision !== expectedRevision || revision === 0) throw conflict(key, expectedRevision, revision);
  }

  #put(key: string, value: Uint8Array): number {
    this.#revision += 1;
    const entry = { key, value: Uint8Array.from(value), revision: this.#revision };
    this.#entries.set(key, entry);
    this.#tell(asPut(entry));
    return entry.revision;
  }

  #tell(event: Exclude<WatchEvent, { kind: 'current' }>): void {
    for (const watcher of this.#watchers) {
      if (!event.key.startsWith(watcher.prefix)) continue;
      watcher.queue.push(event);
      this.#drain(watcher);
    }
  }

  #drain(watcher: Watcher): void {
    if (watcher.draining) return;
    watcher.draining = true;
    queueMicrotask(() => {
      watcher.draining = false;
      if (!this.#reachable) return;
      const { queue } = watcher;
      watcher.queue = [];
      for (const event of queue) {
        if (!this.#watchers.has(watcher)) return;
        watcher.hear(event);
      }
    });
  }
}

function copy(entry: Entry): Entry {
  return { ...entry, value: Uint8Array.from(entry.value) };
}

function asPut(entry: Entry): Extract<WatchEvent, { kind: 'put' }> {
  return { kind: 'put', key: entry.key, value: Uint8Array.from(entry.value), revision: entry.revision };
}

function conflict(key: string, expected: number, found: number): TroughError {
  const what = found === 0 ? 'is not there' : `is at revision ${String(found)}`;
  return new TroughError(
    'METADATA_CONFLICT',
    `${key} ${what}, expected ${expected === 0 ? 'none' : String(expected)}`,
    { key, expected, found },
  );
}

function abortError(signal: AbortSignal): TroughError {
  const reason: unknown = signal.reason;
  if (reason instanceof TroughError) return reason;
  return new TroughError('METADATA_UNREACHABLE', 'the caller gave up', {}, reason);
}
