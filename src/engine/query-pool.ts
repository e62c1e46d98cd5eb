import { crc32 } from 'node:zlib';
import { type ErrorCode, TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type ChildOptions } from './child-process.ts';
import { type EngineAnswer, type EngineQuery, type QueryRecord } from './engine.ts';
import { QueryCall } from './query-call.ts';
import { QuerySlot } from './query-slot.ts';

export interface QueryPoolOptions {
  readonly child: ChildOptions;
  readonly children: number;
  /** Queries that wait for a child; more are refused with ENGINE_POOL_FULL. */
  readonly mostQueued: number;
  readonly log: Log;
  /** Once for each query, when it has ended or was refused. Must not throw. */
  readonly onQuery?: ((record: QueryRecord) => void) | undefined;
}

/** Queries that a child has before it at one time. Enough to keep it busy for a round trip, few enough to be moved. */
const WINDOW = 16;
/** A query that runs longer makes way for those behind it, when another child is free. Milliseconds. */
const STALL_MS = 20;
/** A query is given to a second child when its first one dies, not to a third. */
const MOST_ATTEMPTS = 2;

/**
 * Spreads queries over children. A segment goes to the same child as long as that is not behind; one that is held up by a long query
 * hands on what waits behind it.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #slots: readonly QuerySlot[];
  readonly #places = new Map<QueryCall, QuerySlot>();
  readonly #open = new Set<QueryCall>();
  #queue: QueryCall[] = [];
  #stallTimer: NodeJS.Timeout | undefined;
  #whenIdle: (() => void) | undefined;
  queries = 0;
  failures = 0;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
    const events = {
      onRoom: this.#onRoom,
      onOrphans: this.#onOrphans,
      onLeft: (call: QueryCall) => this.#places.delete(call),
    };
    this.#slots = Array.from({ length: options.children }, () => new QuerySlot(options.child, events, options.log));
  }

  get slots(): readonly QuerySlot[] {
    return this.#slots;
  }

  run(query: EngineQuery, signal: AbortSignal | undefined): Promise<EngineAnswer> {
    const { segment } = query;
    if (signal?.aborted === true)
      return this.#refuse(query, new TroughError('ENGINE_CANCELLED', 'the query was cancelled', { segment }));
    if (this.#queue.length >= this.#options.mostQueued) {
      return this.#refuse(
        query,
        new TroughError('ENGINE_POOL_FULL', 'too many queries wait for a process', { segment }),
      );
    }
    this.queries += 1;
    const call = new QueryCall(query, signal, {
      onGivenUp: this.#onGivenUp,
      onCredit: this.#onCredit,
      onEnded: this.#onEnded,
    });
    this.#open.add(call);
    this.#dispatch(call);
    return call.answer;
  }

  /** Resolves when no query is open, or after `graceMs`. */
  async settle(graceMs: number): Promise<void> {
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#stallTimer);
    const stopped = new TroughError('ENGINE_STOPPED', 'the engine was stopped');
    for (const call of [...this.#open]) call.fail(stopped);
    this.#queue = [];
    await Promise.all(this.#slots.map((slot) => slot.stop(STOP_GRACE_MS)));
  }

  #refuse({ segment, sql }: EngineQuery, error: TroughError): Promise<never> {
    this.#options.onQuery?.({ segment, sql, totalMs: 0, rows: 0, bytes: 0, error: error.code });
    return Promise.reject(error);
  }

  #dispatch(call: QueryCall): void {
    const slot = this.#choose(call);
    if (slot === undefined) this.#queue.push(call);
    else this.#give(slot, call);
  }

  #give(slot: QuerySlot, call: QueryCall): void {
    this.#places.set(call, slot);
    slot.give(call);
    this.#watchStalls();
  }

  /** The segment's own child, else the least busy one; none that is full or held up, and one that is starting only when none is ready. */
  #choose(call: QueryCall): QuerySlot | undefined {
    const now = performance.now();
    const own = this.#slots[crc32(call.query.segment) % this.#slots.length];
    if (own !== undefined && call.attempts === 0 && own.isReady && isOpen(own, now)) return own;
    const open = this.#slots.filter((slot) => isOpen(slot, now));
    return leastBusy(open.filter((slot) => slot.isReady)) ?? leastBusy(open);
  }

  readonly #onRoom = (): void => {
    while (this.#queue.length > 0) {
      const call = this.#queue[0];
      if (call === undefined) return;
      const slot = call.state === 'running' ? this.#choose(call) : undefined;
      if (slot === undefined && call.state === 'running') return;
      this.#queue.shift();
      if (slot !== undefined) this.#give(slot, call);
    }
  };

  readonly #onOrphans = (calls: readonly QueryCall[], cause: TroughError): void => {
    for (const call of calls) {
      if (call.attempts >= MOST_ATTEMPTS) call.fail(cause);
      else this.#dispatch(call);
    }
    this.#onRoom();
  };

  readonly #onGivenUp = (call: QueryCall, reason: 'deadline' | 'cancelled'): void => {
    const slot = this.#places.get(call);
    if (slot === undefined) this.#queue = this.#queue.filter((other) => other !== call);
    else slot.giveUp(call, reason);
  };

  readonly #onCredit = (call: QueryCall, chunks: number): void => {
    this.#places.get(call)?.credit(call, chunks);
  };

  readonly #onEnded = (call: QueryCall, error?: ErrorCode): void => {
    if (error !== undefined) this.failures += 1;
    this.#open.delete(call);
    this.#options.onQuery?.(call.record(error));
    if (this.#open.size === 0) this.#whenIdle?.();
  };

  #watchStalls(): void {
    if (this.#stallTimer !== undefined) return;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      this.#moveStalled();
      if (this.#slots.some((slot) => slot.load > 0)) this.#watchStalls();
    }, STALL_MS);
    this.#stallTimer.unref();
  }

  #moveStalled(): void {
    const now = performance.now();
    const free = this.#slots.filter((slot) => slot.isReady && isOpen(slot, now));
    for (const slot of this.#slots) {
      if (slot.headAgeMs(now) < STALL_MS || slot.load < 2) continue;
      const room = free.reduce((sum, other) => sum + WINDOW - other.load, 0);
      if (room > 0) for (const call of slot.takeBack(room)) this.#dispatch(call);
    }
  }
}

const STOP_GRACE_MS = 300;

function isOpen(slot: QuerySlot, now: number): boolean {
  return slot.load < WINDOW && slot.headAgeMs(now) < STALL_MS;
}

function leastBusy(slots: readonly QuerySlot[]): QuerySlot | undefined {
  let least: QuerySlot | undefined;
  for (const slot of slots) if (least === undefined || slot.load < least.load) least = slot;
  return least;
}
