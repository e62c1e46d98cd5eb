import { type QueryCall } from './query-call.ts';
import { type QuerySlot } from './query-slot.ts';
import { SegmentQueues } from './segment-queues.ts';

export interface SlowLaneOptions {
  /** Processes at a time. */
  readonly children: number;
  /** Queries that wait for one of them. */
  readonly mostQueued: number;
  /** A process that has had nothing to do for so long is ended, milliseconds. */
  readonly idleMs: number;
  readonly startSlot: () => QuerySlot;
}

/** Before another start when one has failed, milliseconds. */
const RETRY_MS = 1_000;
const STOP_GRACE_MS = 300;

/**
 * The children for queries that may take long. There are none until one is needed: a quick child whose query turned out to be long
 * becomes one of these, others are started for suspects. Each runs one query at a time; what waits here waits for its like only.
 */
export class SlowLane {
  readonly #options: SlowLaneOptions;
  readonly #slots = new Set<QuerySlot>();
  readonly #queues: SegmentQueues;
  #idleTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(options: SlowLaneOptions) {
    this.#options = options;
    // One segment leaves a child to the others, when there is more than one.
    const mostRunning = Math.max(1, options.children - 1);
    this.#queues = new SegmentQueues({ homes: 1, homeOf: () => 0, mostRunning });
  }

  get slots(): readonly QuerySlot[] {
    return [...this.#slots];
  }

  get queued(): number {
    return this.#queues.size;
  }

  get queuedBytes(): number {
    return this.#queues.sizeBytes;
  }

  /** Whether there is no place to wait for one more of a segment, and why: half of the queue is for others. */
  refusal(segment: string): 'full' | 'crowded' | undefined {
    const { mostQueued } = this.#options;
    if (this.#queues.size >= mostQueued) return 'full';
    return this.#queues.waitingOf(segment) >= Math.ceil(mostQueued / 2) ? 'crowded' : undefined;
  }

  add(call: QueryCall): void {
    this.#queues.add(call);
    this.fill();
  }

  /** Whether there was a place for a quick child that is at one query for long. */
  adopt(slot: QuerySlot): boolean {
    if (this.#live().length >= this.#options.children) {
      const idle = this.#live().find((other) => other.isIdle);
      if (idle === undefined) return false;
      void idle.stop(STOP_GRACE_MS);
    }
    slot.demote();
    this.#slots.add(slot);
    this.#watchIdle();
    return true;
  }

  fill(): void {
    const now = performance.now();
    while (this.#queues.hasTurn(0) && !this.#isStopping) {
      const slot = this.#live().find((each) => each.isOpen(now));
      if (slot === undefined) {
        this.#startAnother();
        return;
      }
      const call = this.#queues.take(0);
      if (call !== undefined) slot.give(call);
    }
  }

  onDied(wasReady: boolean): void {
    if (wasReady) {
      this.fill();
      return;
    }
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.fill();
    }, RETRY_MS).unref();
  }

  onGone(slot: QuerySlot): void {
    this.#slots.delete(slot);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#retryTimer);
    await Promise.all(this.slots.map((slot) => slot.stop(graceMs)));
  }

  #live(): QuerySlot[] {
    return this.slots.filter(({ isSpent }) => !isSpent);
  }

  #startAnother(): void {
    const live = this.#live();
    const starting = live.filter(({ isReady }) => !isReady).length;
    if (live.length >= this.#options.children || starting >= this.#queues.size || this.#retryTimer !== undefined)
      return;
    this.#slots.add(this.#options.startSlot());
    this.#watchIdle();
  }

  #watchIdle(): void {
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = undefined;
      const now = performance.now();
      for (const slot of this.#live()) if (slot.idleMs(now) >= this.#options.idleMs) void slot.stop(STOP_GRACE_MS);
      if (this.#slots.size > 0) this.#watchIdle();
    }, this.#options.idleMs / 2).unref();
  }
}
