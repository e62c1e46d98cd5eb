import { type SegmentId } from '../../model/segment-id.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock } from '../../runtime/clock.ts';

interface Entry {
  dueAt: number;
  readonly backoff: Backoff;
}

/** Each try claims the journal anew, and what keeps one segment from being opened often keeps thousands. */
const REST = { firstMs: 5_000, mostMs: 30_000 };

/** Segments whose leases this node holds and that are not open here: each is tried again, less and less often. */
export class UnopenedSegments {
  readonly #clock: Clock;
  readonly #entries = new Map<SegmentId, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One that is new is due at once. */
  add(id: SegmentId): void {
    if (!this.#entries.has(id)) this.#entries.set(id, { dueAt: -Infinity, backoff: new Backoff(REST, () => 0) });
  }

  has(id: SegmentId): boolean {
    return this.#entries.has(id);
  }

  opened(id: SegmentId): void {
    this.#entries.delete(id);
  }

  failed(id: SegmentId): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.dueAt = this.#clock.monotonic() + entry.backoff.next();
  }

  due(): readonly SegmentId[] {
    const now = this.#clock.monotonic();
    return Array.from(this.#entries).flatMap(([id, { dueAt }]) => (dueAt <= now ? [id] : []));
  }
}
