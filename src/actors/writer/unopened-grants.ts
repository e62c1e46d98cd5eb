import { type LeaseDocument } from '../../messages/documents.ts';
import { isSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';

export interface UnopenedGrantsDeps {
  readonly clock: Clock;
  readonly self: { readonly node: string };
}

/** The request to open comes right after the grant. When it has not by then, its sender is gone, and could not take the grant back either. */
const OVERDUE_MS = 30_000;

/**
 * Leases that were granted to this node, as the watch says, and since when nothing came of them. Also one for its session before: whoever wrote that
 * had not heard of this one, and it came after this one had looked at what it holds.
 */
export class UnopenedGrants {
  readonly #deps: UnopenedGrantsDeps;
  readonly #since = new Map<SegmentId, number>();

  constructor(deps: UnopenedGrantsDeps) {
    this.#deps = deps;
  }

  seen({ segment, state, node }: LeaseDocument): void {
    if (!isSegmentId(segment)) return;
    const { clock, self } = this.#deps;
    if (state !== 'held' || node !== self.node) this.#since.delete(segment);
    else if (!this.#since.has(segment)) this.#since.set(segment, clock.monotonic());
  }

  /** Those that are to be opened now although nobody asked for it; what is open is forgotten. */
  takeOverdue(isOpen: (segment: SegmentId) => boolean): SegmentId[] {
    const now = this.#deps.clock.monotonic();
    const overdue: SegmentId[] = [];
    for (const [segment, since] of this.#since) {
      if (!isOpen(segment) && now - since < OVERDUE_MS) continue;
      this.#since.delete(segment);
      if (!isOpen(segment)) overdue.push(segment);
    }
    return overdue;
  }
}
