import { type CallPlace, type CallQueue, type QueryCall, type SegmentLoad } from './query-call.ts';

export interface SegmentQueuesOptions {
  /** Processes that segments are spread over. */
  readonly homes: number;
  readonly homeOf: (segment: string) => number;
  /** Of one segment, at a time. */
  readonly mostRunning: number;
}

/**
 * The queries that wait, by segment. Segments take turns, so that one with many does not hold up one with few. A segment that has as
 * many running as it may is passed over until one of them has ended.
 */
export class SegmentQueues implements CallPlace, CallQueue {
  readonly #options: SegmentQueuesOptions;
  readonly #loads = new Map<string, SegmentLoad>();
  /** For each home, the segments whose turn comes, in its order. */
  readonly #turns: readonly Set<SegmentLoad>[];
  /** Those that lost their turn because nothing of them may run. */
  readonly #passed = new Set<SegmentLoad>();
  /** All that wait. */
  size = 0;
  /** What those hold. */
  sizeBytes = 0;

  constructor(options: SegmentQueuesOptions) {
    this.#options = options;
    this.#turns = Array.from({ length: options.homes }, () => new Set());
  }

  waitingOf(segment: string): number {
    return this.#loads.get(segment)?.waiting.size ?? 0;
  }

  waitingBytesOf(segment: string): number {
    return this.#loads.get(segment)?.waitingBytes ?? 0;
  }

  /** Counts it as running when it need not wait for others of its segment and there is a place for it: that place. */
  start<Place>(call: QueryCall, choose: (home: number) => Place | undefined): Place | undefined {
    const load = this.#loadOf(call);
    if (load.waiting.size > 0 || !this.#mayRun(load)) return undefined;
    const place = choose(load.home);
    if (place !== undefined) load.running += 1;
    return place;
  }

  add(call: QueryCall): void {
    const load = this.#loadOf(call);
    call.place = this;
    load.waiting.add(call);
    this.#passed.delete(load);
    this.#count(load, call, 1);
    this.#queueUp(load);
  }

  /** One that had its turn and lost it: before the others of its segment. */
  addFirst(call: QueryCall): void {
    const load = this.#loadOf(call);
    call.place = this;
    load.waiting = new Set([call, ...load.waiting]);
    this.#passed.delete(load);
    this.#count(load, call, 1);
    this.#queueUp(load);
  }

  /** Whether a segment of this home waits for its turn. */
  hasTurn(home: number): boolean {
    return (this.#turns[home]?.size ?? 0) > 0;
  }

  /**
   * The next query of the segment whose turn it is, but for those that may not run now; from here on it counts as running. A segment of which
   * none may run has no turn any more, until another one is asked of it, or `lift`: looking through all that wait costs too much for each query.
   */
  take(home: number, mayRun: (call: QueryCall) => boolean = always): QueryCall | undefined {
    for (const load of this.#turns[home] ?? []) {
      this.#turns[home]?.delete(load);
      const call = firstOf(load.waiting, mayRun);
      if (call === undefined) {
        this.#passed.add(load);
        continue;
      }
      load.waiting.delete(call);
      this.#count(load, call, -1);
      load.running += 1;
      this.#queueUp(load);
      return call;
    }
    return undefined;
  }

  /** What may run now is not what it was. */
  lift(): void {
    const passed = [...this.#passed];
    this.#passed.clear();
    for (const load of passed) this.#queueUp(load);
  }

  /** Takes out what waits of a segment and fits. */
  takeAll(segment: string, fits: (call: QueryCall) => boolean): QueryCall[] {
    const taken = [...(this.#loads.get(segment)?.waiting ?? [])].filter(fits);
    for (const call of taken) this.giveUp(call);
    return taken;
  }

  /** One that ran has left its child. */
  ended(load: SegmentLoad): void {
    load.running -= 1;
    this.#queueUp(load);
    this.#forgetIdle(load);
  }

  giveUp(call: QueryCall): void {
    const { load } = call;
    if (load?.waiting.delete(call) !== true) return;
    this.#count(load, call, -1);
    if (load.waiting.size === 0) {
      this.#turns[load.home]?.delete(load);
      this.#passed.delete(load);
    }
    this.#forgetIdle(load);
  }

  /** What waits has no stream yet. */
  credit(): void {
    return;
  }

  /** Known as long as something of the segment runs or waits. */
  #loadOf(call: QueryCall): SegmentLoad {
    const { segment } = call.query;
    let load = this.#loads.get(segment);
    if (load === undefined) {
      load = { segment, home: this.#options.homeOf(segment), running: 0, waiting: new Set(), waitingBytes: 0 };
      this.#loads.set(segment, load);
    }
    call.queue = this;
    call.load = load;
    return load;
  }

  #count(load: SegmentLoad, { sizeBytes }: QueryCall, change: 1 | -1): void {
    this.size += change;
    this.sizeBytes += change * sizeBytes;
    load.waitingBytes += change * sizeBytes;
  }

  #mayRun(load: SegmentLoad): boolean {
    return load.running < this.#options.mostRunning;
  }

  #queueUp(load: SegmentLoad): void {
    if (load.waiting.size > 0 && this.#mayRun(load) && !this.#passed.has(load)) this.#turns[load.home]?.add(load);
  }

  #forgetIdle(load: SegmentLoad): void {
    if (load.running === 0 && load.waiting.size === 0) this.#loads.delete(load.segment);
  }
}

function firstOf(waiting: ReadonlySet<QueryCall>, mayRun: (call: QueryCall) => boolean): QueryCall | undefined {
  for (const call of waiting) if (mayRun(call)) return call;
  return undefined;
}

function always(): boolean {
  return true;
}
