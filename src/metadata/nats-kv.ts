import { Events, type NatsConnection, nuid } from 'nats';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { checkKey, checkPrefix } from './key-rules.ts';
import { KvApi, type KvWrite, asUnreachable } from './kv-api.ts';
import { type FollowEvent, follow } from './kv-follow.ts';
import { ensureStream, isMissing } from './kv-stream.ts';
import { KvWriter } from './kv-writer.ts';
import { type Entry, type MetadataStore, type WatchEvent } from './metadata-store.ts';
import { WatchFold } from './watch-fold.ts';
import { systemClock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';

export interface NatsKvOptions {
  /** Stays its owner's, who closes it after the store. */
  readonly connection: NatsConnection;
  readonly log: Log;
  /** Letters, digits, `_` and `-`. Default `trough`. */
  readonly bucket?: string;
  /** Copies that NATS keeps. Default: three in a cluster, else one. */
  readonly replicas?: number;
  /** After so long without an answer a call is METADATA_UNREACHABLE. Default 10,000 ms. */
  readonly deadlineMs?: number;
  /** How long JetStream may take to be ready at the start. Default 30,000 ms. */
  readonly readyMs?: number;
  readonly signal?: AbortSignal;
}

const NOTHING = new Uint8Array(0);

/** Metadata in one JetStream stream, one message per key; README.md of this folder says what it rests on. */
export class NatsKv implements MetadataStore {
  readonly #api: KvApi;
  readonly #options: NatsKvOptions;
  readonly #deadlineMs: number;
  readonly #writer: KvWriter;
  readonly #closing = new AbortController();
  readonly #watches = new Set<Promise<void>>();

  private constructor(api: KvApi, options: NatsKvOptions) {
    this.#api = api;
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#writer = new KvWriter(api, { deadlineMs: this.#deadlineMs });
    void this.#interruptOnDisconnect();
  }

  /** Makes the bucket if it is not there. METADATA_UNREACHABLE when JetStream does not get ready. */
  static async open(options: NatsKvOptions): Promise<NatsKv> {
    const bucket = options.bucket ?? 'trough';
    if (!/^[A-Za-z0-9_-]+$/.test(bucket)) {
      throw new TroughError('CONFIG_INVALID', `'${bucket}' is not a bucket name: letters, digits, _ and - are`);
    }
    const store = new NatsKv(await KvApi.open(options.connection, bucket), options);
    try {
      await store.#ensure(options.signal);
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  async get(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    checkKey(key);
    const ended = this.#until(signal);
    const until = performance.now() + this.#deadlineMs;
    for (;;) {
      if (ended.aborted) throw abortError(ended);
      try {
        const found = await this.#api.last(this.#api.subjectOf(key));
        if (found === undefined || found.deleted) return undefined;
        return { key, value: found.value, revision: found.revision };
      } catch (error) {
        if (performance.now() > until) throw asUnreachable(error, `${key} cannot be read`);
      }
      await pause(systemClock, 20 + Math.random() * 80, ended);
    }
  }

  async create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number> {
    checkKey(key);
    const ended = this.#until(signal);
    // The mark of a deletion has a revision of its own, which the new value must replace.
    for (let expected = 0; ;) {
      const result = await this.#writer.write(makeWrite(key, value, expected, false), ended);
      if (typeof result === 'number') return result;
      if (result.found?.deleted === false) throw conflict(key, 0, result.found.revision);
      expected = result.found?.revision ?? 0;
    }
  }

  async update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number> {
    return this.#replace(makeWrite(key, value, expectedRevision, false), signal);
  }

  async delete(key: string, expectedRevision: number, signal?: AbortSignal): Promise<void> {
    await this.#replace(makeWrite(key, NOTHING, expectedRevision, true), signal);
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<Entry> {
    checkPrefix(prefix);
    const ended = this.#until(signal);
    const seen = new Set<string>();
    for await (const events of this.#follow(prefix, ended, this.#deadlineMs)) {
      for (const event of events) {
        if (event.kind === 'complete') return;
        if (event.kind === 'restart')
          throw new TroughError('METADATA_UNREACHABLE', 'the metadata was replaced while it was listed');
        if (event.deleted || seen.has(event.key)) continue;
        seen.add(event.key);
        yield { key: event.key, value: event.value, revision: event.revision };
      }
    }
    throw abortError(ended);
  }

  watch(prefix: string, hear: (event: WatchEvent) => void, signal: AbortSignal): void {
    checkPrefix(prefix);
    const watching = this.#watch(prefix, hear, this.#until(signal)).catch((error: unknown) => {
      this.#options.log.error({ prefix, err: TroughError.from(error) }, 'watch of metadata ended');
    });
    this.#watches.add(watching);
    void watching.finally(() => this.#watches.delete(watching));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new TroughError('STOPPING', 'the metadata store is closed'));
    await Promise.all(this.#watches);
  }

  async #replace(write: KvWrite, signal: AbortSignal | undefined): Promise<number> {
    checkKey(write.key);
    if (write.expected <= 0) throw conflict(write.key, write.expected, undefined);
    const result = await this.#writer.write(write, this.#until(signal));
    if (typeof result === 'number') return result;
    throw conflict(write.key, write.expected, result.found?.deleted === false ? result.found.revision : undefined);
  }

  async #watch(prefix: string, hear: (event: WatchEvent) => void, ended: AbortSignal): Promise<void> {
    const tell = (event: WatchEvent): void => {
      if (ended.aborted) return;
      try {
        hear(event);
      } catch (error) {
        this.#options.log.error({ prefix, err: TroughError.from(error) }, 'listener failed on a change of metadata');
      }
    };
    const fold = new WatchFold(tell);
    for await (const events of this.#follow(prefix, ended)) events.forEach(fold.apply);
  }

  #follow(prefix: string, signal: AbortSignal, giveUpMs?: number): AsyncGenerator<readonly FollowEvent[]> {
    const ensure = async (error: unknown): Promise<void> => {
      if (!isMissing(error)) return;
      this.#options.log.error({ stream: this.#api.stream }, 'metadata stream is gone and is made anew');
      await this.#ensure(signal);
    };
    const { log } = this.#options;
    return follow({ api: this.#api, log, prefix, signal, ensure, ...(giveUpMs === undefined ? {} : { giveUpMs }) });
  }

  #ensure(signal: AbortSignal | undefined): Promise<void> {
    const { log, replicas, readyMs = 30_000 } = this.#options;
    return ensureStream(this.#api, { log, replicas, readyMs }, this.#until(signal));
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  /** A reader notices a lost connection by the server's silence; this is faster. */
  async #interruptOnDisconnect(): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (type === Events.Disconnect) this.#api.interrupt();
    }
  }
}

function makeWrite(key: string, value: Uint8Array, expected: number, remove: boolean): KvWrite {
  return { key, value, expected, remove, messageId: nuid.next() };
}

function conflict(key: string, expected: number, found: number | undefined): TroughError {
  const what = found === undefined ? 'is not there' : `is at revision ${String(found)}`;
  const message = `${key} ${what}, expected ${expected === 0 ? 'none' : String(expected)}`;
  return new TroughError('METADATA_CONFLICT', message, { key, expected, found });
}

function abortError(signal: AbortSignal): TroughError {
  const reason: unknown = signal.reason;
  if (reason instanceof TroughError) return reason;
  return new TroughError('METADATA_UNREACHABLE', 'the caller gave up', {}, reason);
}
