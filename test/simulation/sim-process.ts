import { type Clock } from '../../src/runtime/clock.ts';
import { type Timeline } from './timeline.ts';

interface Pending {
  readonly run: () => void;
  /** Its own clock counts it: it is put off when that clock stands still. */
  readonly isTimer: boolean;
  at: number;
  cancel: () => void;
}

/** 2023-11-14: the wall clock of a machine at the start of a run. */
export const EPOCH_MS = 1_700_000_000_000;

export interface ProcessClock {
  /** How fast its clocks run, about 1. */
  readonly rate: number;
  /** What its wall clock is off by, ms; may change at any time. */
  readonly skewMs: () => number;
}

/**
 * One process of a machine, from its start to its death. Whatever reaches it (a timer, a message, the end of a call) does so by `later`: not at
 * all once it is dead, and when it is woken while it is stopped. A dead process never runs again, since nothing that it waits for ever ends.
 */
export class SimProcess implements Clock {
  readonly name: string;
  readonly #timeline: Timeline;
  readonly #clock: ProcessClock;
  readonly #pending = new Set<Pending>();
  readonly #onDeath = new Set<() => void>();
  #state: 'running' | 'paused' | 'dead' = 'running';
  #backlog: Pending[] = [];
  #pausedAt = 0;
  #sleptMs = 0;
  #interruption: { steps: number; readonly act: () => void } | undefined;
  /** How long it was not running, ms in all. */
  #awayMs = 0;

  constructor(name: string, timeline: Timeline, clock: ProcessClock) {
    this.name = name;
    this.#timeline = timeline;
    this.#clock = clock;
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state;
  }

  get pausedMs(): number {
    return this.#awayMs + (this.#state === 'paused' ? this.#timeline.now - this.#pausedAt : 0);
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.#timeline.now + this.#clock.skewMs());
  }

  monotonic(): number {
    return (this.#timeline.now - this.#sleptMs) * this.#clock.rate;
  }

  readonly after = (delayMs: number, run: () => void): (() => void) =>
    this.#arm(Math.max(0, delayMs) / this.#clock.rate, run, true);

  untilTick(periodMs: number): number {
    return periodMs;
  }

  /** Runs in this process after `delayMs` of the world's time. */
  later(delayMs: number, run: () => void): () => void {
    return this.#arm(delayMs, run, false);
  }

  /** What `make` says, after `delayMs`: a call of something outside. Never ends when the process dies first. */
  call<T>(delayMs: number, make: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.later(delayMs, () => {
        try {
          resolve(make());
        } catch (error) {
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever a port throws
          reject(error);
        }
      });
    });
  }

  /** The returned function takes it back. */
  onDeath(run: () => void): () => void {
    this.#onDeath.add(run);
    return () => {
      this.#onDeath.delete(run);
    };
  }

  /** `act` right before the so-many-th thing from now on that would reach it: what it waits for there has happened, or not, and it does not know. */
  interrupt(steps: number, act: () => void): void {
    this.#interruption = { steps, act };
  }

  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#backlog = [];
    for (const pending of this.#pending) pending.cancel();
    this.#pending.clear();
    for (const run of [...this.#onDeath]) run();
  }

  pause(): void {
    if (this.#state !== 'running') return;
    this.#state = 'paused';
    this.#pausedAt = this.#timeline.now;
  }

  /** `slept`: the whole machine did, so its clock that only goes forward stood still meanwhile. */
  wake(slept: boolean): void {
    if (this.#state !== 'paused') return;
    this.#state = 'running';
    const awayMs = this.#timeline.now - this.#pausedAt;
    this.#awayMs += awayMs;
    const backlog = this.#backlog;
    this.#backlog = [];
    if (slept) {
      this.#sleptMs += awayMs;
      for (const pending of this.#pending) if (pending.isTimer) this.#schedule(pending, pending.at + awayMs);
    }
    for (const pending of backlog) {
      if (slept && pending.isTimer) this.#schedule(pending, pending.at + awayMs);
      else this.#schedule(pending, this.#timeline.now);
    }
  }

  #arm(delayMs: number, run: () => void, isTimer: boolean): () => void {
    if (this.#state === 'dead') return () => undefined;
    const pending: Pending = { run, isTimer, at: 0, cancel: () => undefined };
    this.#schedule(pending, this.#timeline.now + delayMs);
    return () => {
      pending.cancel();
      this.#pending.delete(pending);
      if (this.#backlog.length > 0) this.#backlog = this.#backlog.filter((other) => other !== pending);
    };
  }

  #schedule(pending: Pending, at: number): void {
    pending.cancel();
    pending.at = at;
    this.#pending.add(pending);
    pending.cancel = this.#timeline.at(at, () => {
      this.#pending.delete(pending);
      this.#countStep();
      if (this.#state === 'paused') this.#backlog.push(pending);
      else if (this.#state === 'running') pending.run();
    });
  }

  #countStep(): void {
    const interruption = this.#interruption;
    if (interruption === undefined || this.#state !== 'running') return;
    interruption.steps -= 1;
    if (interruption.steps > 0) return;
    this.#interruption = undefined;
    interruption.act();
  }
}
