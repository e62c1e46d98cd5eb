import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type ChildOptions } from './child-process.ts';
import { type EngineAnswer, type EngineQuery, type QueryLoad, type QueryRecord } from './engine.ts';
import { outOfMemory } from './out-of-memory.ts';
import { OpenStreams } from './open-streams.ts';
import { type CallOwner, QueryCall } from './query-call.ts';
import { type Death, type KillReason, QuerySlot, type SlotCounters, type SlotEvents } from './query-slot.ts';
import { QuickLane } from './quick-lane.ts';
import { SlowLane } from './slow-lane.ts';
import { Suspects } from './suspects.ts';

export interface QueryPoolOptions {
  readonly child: ChildOptions;
  /** For queries that are thought to be quick. */
  readonly children: number;
  /** Of those, the ones that are there before they are needed. */
  readonly startChildren: number;
  /** More of them, at most, for queries that are not. */
  readonly slowChildren: number;
  /** How long one of those rests before it is ended, milliseconds. */
  readonly slowIdleMs: number;
  /** Queries that wait for a child; more are refused with ENGINE_POOL_FULL. */
  readonly mostQueued: number;
  /** What those hold together, about in bytes; of one segment half of it. */
  readonly mostQueuedBytes: number;
  /** Of those, queries that wait for a slow child; of one segment half of them. */
  readonly mostSlowQueued: number;
  /** Queries of one segment that wait; more are refused with SEGMENT_QUEUE_FULL. */
  readonly mostQueuedOfSegment: number;
  /** Queries of one segment that children have before them at a time. */
  readonly mostRunningOfSegment: number;
  /** Answers that are streams, at a time: each holds a statement, and some chunks that its reader has not taken. Of one segment half of them. */
  readonly mostStreams: number;
  readonly log: Log;
  /** Once for each query, when it has ended or was refused. Must not throw. */
  readonly onQuery?: ((record: QueryRecord) => void) | undefined;
}

/** A query is given to a second child when its first one dies, not to a third. */
const MOST_ATTEMPTS = 2;
const STOP_GRACE_MS = 300;
/** A suspect that had its first chunk within this is none any more, milliseconds. */
const QUICK_MS = 100;

/** Runs queries on children, the quick ones apart from those that have shown to be slow, and each exactly once as far as its asker sees. */
export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #quick: QuickLane;
  readonly #slow: SlowLane;
  readonly #suspects = new Suspects();
  /** A quick child that waits for its turn while there are slow ones: where one query was long, others are near, and a start takes time. */
  #spare: QuerySlot | undefined;
  readonly #counters: SlotCounters = {
    kills: { deadline: 0, cancelled: 0, unwanted: 0, long: 0, broken: 0 },
    restarts: 0,
  };
  readonly #open = new Set<QueryCall>();
  readonly #streams: OpenStreams;
  #whenIdle: (() => void) | undefined;
  queries = 0;
  failures = 0;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
    this.#streams = new OpenStreams(options.mostStreams);
    this.#quick = new QuickLane({
      children: options.children,
      mostRunningOfSegment: options.mostRunningOfSegment,
      startChildren: options.startChildren,
      startSlot: (isAsleep) => this.#startSlot(false, isAsleep),
      onLong: this.#onLong,
    });
    this.#slow = new SlowLane({
      children: options.slowChildren,
      mostQueued: options.mostSlowQueued,
      idleMs: options.slowIdleMs,
      startSlot: () => this.#startSlot(true),
    });
  }

  get slots(): readonly QuerySlot[] {
    return [...this.#quick.slots, ...this.#slow.slots, ...(this.#spare === undefined ? [] : [this.#spare])];
  }

  get kills(): number {
    return Object.values(this.#counters.kills).reduce((sum, count) => sum + count, 0);
  }

  get killsByReason(): Readonly<Record<KillReason, number>> {
    return { ...this.#counters.kills };
  }

  get restarts(): number {
    return this.#counters.restarts;
  }

  run(query: EngineQuery, signal: AbortSignal | undefined): Promise<EngineAnswer> {
    const isSuspect = this.#suspects.has(query);
    const refusal = this.#refusal(query, isSuspect, signal);
    if (refusal !== undefined) {
      const { segment, sql } = query;
      this.#options.onQuery?.({ segment, sql, totalMs: 0, rows: 0, bytes: 0, error: refusal.code });
      return Promise.reject(refusal);
    }
    this.queries += 1;
    const call = new QueryCall(query, signal, this.#owner);
    this.#open.add(call);
    if (isSuspect) this.#slow.add(call);
    else this.#quick.add(call);
    return call.answer;
  }

  /** Of one segment, or of all. Asked for now and then: it looks at each open query. */
  load(segment?: string): QueryLoad {
    const load = { running: 0, waiting: 0 };
    for (const { query, place } of this.#open) {
      if (segment !== undefined && query.segment !== segment) continue;
      if (place instanceof QuerySlot) load.running += 1;
      else load.waiting += 1;
    }
    return load;
  }

  /** Behind what the children have before them now. */
  forget(file: string): void {
    for (const slot of this.slots) slot.forget(file);
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
    const stopped = new TroughError('ENGINE_STOPPED', 'the engine was stopped');
    for (const call of [...this.#open]) call.fail(stopped);
    await Promise.all([
      this.#quick.stop(STOP_GRACE_MS),
      this.#slow.stop(STOP_GRACE_MS),
      this.#spare?.stop(STOP_GRACE_MS),
    ]);
  }

  #refusal(query: EngineQuery, isSuspect: boolean, signal: AbortSignal | undefined): TroughError | undefined {
    const { segment } = query;
    const { mostQueued, mostQueuedBytes, mostQueuedOfSegment } = this.#options;
    if (signal?.aborted === true) return new TroughError('ENGINE_CANCELLED', 'the query was cancelled', { segment });
    const isFull =
      this.#quick.queued + this.#slow.queued >= mostQueued ||
      this.#quick.queuedBytes + this.#slow.queuedBytes >= mostQueuedBytes;
    if (isFull) return refused('full', segment, false);
    if (isSuspect) return this.#slowRefusal(segment);
    const isCrowded =
      this.#quick.queuedOf(segment) >= mostQueuedOfSegment || this.#quick.queuedBytesOf(segment) >= mostQueuedBytes / 2;
    return isCrowded ? refused('crowded', segment, false) : undefined;
  }

  #slowRefusal(segment: string): TroughError | undefined {
    const why = this.#slow.refusal(segment);
    return why === undefined ? undefined : refused(why, segment, true);
  }

  #startSlot(isSlow: boolean, isAsleep = false): QuerySlot {
    const { child, log } = this.#options;
    return new QuerySlot({ child, log, isSlow, isAsleep, events: this.#events, counters: this.#counters });
  }

  readonly #events: SlotEvents = {
    onRoom: (slot, now) => {
      if (slot.isSlow) this.#slow.fill();
      else this.#quick.fill(slot, now);
    },
    onLeft: (slot, call, tookMs) => {
      call.left();
      // It was not that slow after all.
      if (slot.isSlow && tookMs !== undefined && tookMs < QUICK_MS) this.#suspects.clear(call.query);
    },
    onDied: (slot, death) => {
      this.#onDied(slot, death);
    },
    onGone: (slot) => {
      this.#slow.onGone(slot);
      if (this.#slow.slots.length > 0) return;
      void this.#spare?.stop(STOP_GRACE_MS);
      this.#spare = undefined;
    },
  };

  /** The slot keeps running its query in the slow lane; when that has no place, the query waits there and begins anew. */
  readonly #onLong = (slot: QuerySlot): QuerySlot => {
    const { head } = slot;
    if (slot.runsInVain) {
      slot.kill('unwanted');
      return slot;
    }
    if (head !== undefined) this.#suspect(head);
    if (this.#slow.adopt(slot)) return this.#successor();
    if (!slot.hasStreams || !this.#quick.hasOther(slot, performance.now())) {
      head?.moved();
      slot.kill('long');
    }
    return slot;
  };

  #successor(): QuerySlot {
    const successor = this.#spare ?? this.#startSlot(false);
    this.#spare = this.#startSlot(false);
    return successor;
  }

  #suspect(call: QueryCall): void {
    this.#suspects.add(call.query);
    this.#clearInnocents(call);
    const { segment, sql } = call.query;
    for (const same of this.#quick.takeAll(segment, ({ query }) => query.sql === sql)) this.#addToSlow(same);
  }

  /** Another query was taken for the long one, if the long one was taken back from its child and yet runs there. */
  #clearInnocents(culprit: QueryCall): void {
    for (const slot of this.slots) {
      if (!slot.mayRunInVain(culprit)) continue;
      const { head } = slot;
      if (head !== undefined) this.#suspects.clear(head.query);
      head?.moved();
      slot.kill('long');
    }
  }

  #onDied(slot: QuerySlot, { cause, culprit, unwanted, orphans, failedStarts }: Death): void {
    if (unwanted !== undefined) this.#suspects.add(unwanted.query);
    if (culprit !== undefined) {
      this.#suspect(culprit);
      culprit.fail(outOfMemory({ segment: culprit.query.segment }));
    }
    for (const call of orphans) {
      if (call === culprit) continue;
      if (call.attempts >= MOST_ATTEMPTS) call.fail(cause);
      else if (this.#suspects.has(call.query)) this.#addToSlow(call);
      else this.#quick.addAgain(call);
    }
    if (slot.isSlow) this.#slow.onDied(failedStarts === 0);
    // Nobody who starts: better an error now than at the deadline.
    else if (failedStarts >= MOST_ATTEMPTS && !this.#quick.slots.some(({ isReady }) => isReady)) this.#failAll(cause);
    this.#quick.fillAll(performance.now());
  }

  #addToSlow(call: QueryCall): void {
    const refusal = this.#slowRefusal(call.query.segment);
    if (refusal === undefined) this.#slow.add(call);
    else call.fail(refusal);
  }

  #failAll(cause: TroughError): void {
    for (const call of this.#quick.giveUpAll()) call.fail(cause);
  }

  readonly #owner: CallOwner = {
    refuseStream: (call) => this.#streams.refusal(call),
    ended: (call, error) => {
      if (error !== undefined) this.failures += 1;
      this.#open.delete(call);
      this.#streams.ended(call);
      this.#options.onQuery?.(call.record(error));
      if (this.#open.size === 0) this.#whenIdle?.();
    },
  };
}

function refused(why: 'full' | 'crowded', segment: string, areLong: boolean): TroughError {
  const queries = areLong ? 'long queries' : 'queries';
  return why === 'full'
    ? new TroughError('ENGINE_POOL_FULL', `too many ${queries} wait for a process`, { segment })
    : new TroughError('SEGMENT_QUEUE_FULL', `too many ${queries} of this segment wait`, { segment });
}
