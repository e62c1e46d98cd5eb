import { crc32 } from 'node:zlib';
import { type QueryCall } from './query-call.ts';
import { type QuerySlot, STALL_MS } from './query-slot.ts';
import { SegmentQueues } from './segment-queues.ts';

export interface QuickLaneOptions {
  readonly children: number;
  /** So many are there from the start; the others come when those have enough to do for the first time. */
  readonly startChildren: number;
  /** Queries of one segment that children have before them at a time. */
  readonly mostRunningOfSegment: number;
  readonly startSlot: (isAsleep: boolean) => QuerySlot;
  /** A child is at one query for long: its successor, when it was taken away from here. */
  readonly onLong: (slot: QuerySlot) => QuerySlot;
}

/**
 * The children for queries that are thought to be quick. A segment has a home among them, and goes elsewhere only while its home has
 * enough to do and another has not, or while its home is held up.
 */
export class QuickLane {
  readonly #options: QuickLaneOptions;
  readonly #slots: QuerySlot[];
  readonly #queues: SegmentQueues;
  #stallTimer: NodeJS.Timeout | undefined;
  /** Guests from a home that is held up, and those that are at home, take turns. */
  #isGuestsTurn = false;
  /** What holds up all children but one: that one is not given the same again. */
  #barred: readonly QueryCall[] = [];

  constructor(options: QuickLaneOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.children }, (_, place) =>
      options.startSlot(place >= options.startChildren),
    );
    this.#queues = new SegmentQueues({
      homes: options.children,
      homeOf: (segment) => crc32(segment) % options.children,
      mostRunning: options.mostRunningOfSegment,
    });
  }

  get slots(): readonly QuerySlot[] {
    return this.#slots;
  }

  get queued(): number {
    return this.#queues.size;
  }

  get queuedBytes(): number {
    return this.#queues.sizeBytes;
  }

  queuedOf(segment: string): number {
    return this.#queues.waitingOf(segment);
  }

  queuedBytesOf(segment: string): number {
    return this.#queues.waitingBytesOf(segment);
  }

  add(call: QueryCall): void {
    const slot = this.#mayRun(call) ? this.#queues.start(call, this.#choose) : undefined;
    if (this.#isBusy(slot)) this.#slots.some((each) => each.wake());
    if (slot !== undefined) slot.give(call);
    else {
      this.#queues.add(call);
      // It may stand behind some that may not run, while a process has nothing to do.
      if (this.#barred.length > 0) this.fillAll(performance.now());
    }
    this.#watchStalls();
  }

  /** For one that was begun and lost its child: it comes before the others of its segment. */
  addAgain(call: QueryCall): void {
    this.#queues.addFirst(call);
    this.#watchStalls();
  }

  /** Takes out what waits of a segment and fits. */
  takeAll(segment: string, fits: (call: QueryCall) => boolean): readonly QueryCall[] {
    return this.#queues.takeAll(segment, fits);
  }

  /** All that wait, when nothing will ever run them. */
  giveUpAll(): readonly QueryCall[] {
    const all: QueryCall[] = [];
    for (let home = 0; home < this.#slots.length; home += 1) {
      for (let call = this.#queues.take(home); call !== undefined; call = this.#queues.take(home)) {
        call.left();
        all.push(call);
      }
    }
    return all;
  }

  /** Gives to a child what it has room for. */
  fill(slot: QuerySlot, now: number): void {
    const home = this.#slots.indexOf(slot);
    while (home >= 0 && slot.isOpen(now)) {
      const from = this.#next(home, now);
      if (from === undefined) return;
      // None: what waits there may not run now, and has no turn any more.
      const call = this.#queues.take(from, this.#mayRun);
      if (call !== undefined) slot.give(call);
    }
  }

  fillAll(now: number): void {
    if (this.#queues.size > 0) for (const slot of [...this.#slots]) this.fill(slot, now);
  }

  async stop(graceMs: number): Promise<void> {
    clearTimeout(this.#stallTimer);
    await Promise.all(this.#slots.map((slot) => slot.stop(graceMs)));
  }

  /** Whether another child than this one takes queries now, or will soon. */
  hasOther(than: QuerySlot, now: number): boolean {
    return this.#slots.some((slot) => slot !== than && !slot.isStalled(now));
  }

  /** Not when the first ones are only starting. */
  #isBusy(chosen: QuerySlot | undefined): boolean {
    if (chosen !== undefined) return !chosen.isIdle;
    return this.#queues.size > 0 || this.#slots.some(({ isReady }) => isReady);
  }

  readonly #mayRun = ({ query: { segment, sql } }: QueryCall): boolean =>
    this.#barred.length === 0 || !this.#barred.some(({ query }) => query.sql === sql && query.segment === segment);

  readonly #choose = (home: number): QuerySlot | undefined => {
    const now = performance.now();
    const own = this.#slots[home];
    if (own?.isOpen(now) === true) return own;
    const isHeldUp = own?.isFlowing(now) !== true;
    let best: QuerySlot | undefined;
    for (const slot of this.#slots) {
      if (!slot.isOpen(now) || (best !== undefined && slot.load >= best.load)) continue;
      if (isHeldUp || hasLittle(slot)) best = slot;
    }
    return best;
  };

  /** The home of which a child takes the next query: its own, or another that needs help. */
  #next(home: number, now: number): number | undefined {
    const hasOwn = this.#queues.hasTurn(home);
    if (this.#queues.size === 0) return undefined;
    let full: number | undefined;
    let heldUp: number | undefined;
    for (let other = 0; other < this.#slots.length; other += 1) {
      if (other === home || !this.#queues.hasTurn(other)) continue;
      if (this.#slots[other]?.isFlowing(now) !== true) heldUp = other;
      else if (hasLittle(this.#slots[home])) full = other;
    }
    if (heldUp !== undefined && hasOwn) this.#isGuestsTurn = !this.#isGuestsTurn;
    if (heldUp !== undefined && (!hasOwn || this.#isGuestsTurn)) return heldUp;
    return hasOwn ? home : full;
  }

  #watchStalls(): void {
    this.#stallTimer ??= setTimeout(() => {
      this.#stallTimer = undefined;
      this.#look(performance.now());
      if (this.#queues.size > 0 || this.#slots.some((slot) => !slot.isIdle)) this.#watchStalls();
    }, STALL_MS).unref();
  }

  #look(now: number): void {
    const stalled = this.#slots.filter((slot) => slot.isStalled(now));
    const areAllButOne = stalled.length > 0 && stalled.length >= this.#slots.length - 1;
    const before = this.#barred;
    this.#barred = areAllButOne ? stalled.map(({ head }) => head).filter((head) => head !== undefined) : [];
    if (before.length > 0 || this.#barred.length > 0) this.#queues.lift();
    for (const [home, slot] of this.#slots.entries()) {
      if (!stalled.includes(slot)) continue;
      for (const call of slot.takeBack().reverse()) this.#queues.addFirst(call);
      if (slot.isLong()) this.#slots[home] = this.#options.onLong(slot);
    }
    this.fillAll(now);
  }
}

/** Half of what it may have before it, at most. */
function hasLittle(slot: QuerySlot | undefined): boolean {
  return slot !== undefined && slot.load * 2 <= slot.window;
}
