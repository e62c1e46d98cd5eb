import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';

export interface DrainerMessage {
  readonly kind: 'tick';
}

export interface DrainerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly view: ClusterView;
  /** undefined: another leads. */
  readonly leadingMs: () => number | undefined;
  /** Gives the segment's lease to another writer, or promotes the segment and gives the lease back. */
  readonly vacate: (segment: SegmentId) => Promise<unknown>;
}

const PARALLEL = 4;
/** A lease that could not be given back is tried again after this. */
const REST_MS = 30_000;

/** Takes the leases off nodes that are drained: another writer goes on with what has a journal; of the rest what was written is published first, and the next provision is of another node. */
export class Drainer implements Actor<DrainerMessage> {
  readonly name = 'drainer';
  readonly #deps: DrainerDeps;
  readonly #tasks = new KeyedTasks({ parallel: PARALLEL, waiting: Infinity });
  /** Until when each is left alone, by the monotonic clock; Infinity while it is under way. */
  readonly #resting = new Map<string, number>();

  constructor(deps: DrainerDeps) {
    this.#deps = deps;
  }

  receive(): void {
    const { view, clock, leadingMs } = this.#deps;
    const now = clock.monotonic();
    for (const [segment, until] of this.#resting) if (until <= now) this.#resting.delete(segment);
    if (leadingMs() === undefined) return;
    const draining = new Set(
      view
        .nodes()
        .filter(({ document, state }) => state === 'alive' && view.drainOf(document.node) !== undefined)
        .map(({ document }) => document.node)
        .filter((node) => view.leasesOf(node) > 0),
    );
    if (draining.size === 0) return;
    for (const { document } of view.leases()) {
      if (document.state !== 'held' || !draining.has(document.node) || this.#resting.has(document.segment)) continue;
      this.#giveBack(document.segment as SegmentId, document.node);
    }
  }

  stop(): Promise<void> {
    return this.#tasks.idle();
  }

  #giveBack(segment: SegmentId, node: string): void {
    const { log, clock, view, leadingMs, vacate } = this.#deps;
    this.#resting.set(segment, Infinity);
    void this.#tasks
      .run(segment, async () => {
        // It may have been asked back while this waited for its turn.
        if (leadingMs() === undefined || view.drainOf(node) === undefined) return;
        await vacate(segment);
        log.debug({ segment, node }, 'the lease of a segment on a drained node was given on');
      })
      .then(() => this.#resting.delete(segment))
      .catch((error: unknown) => {
        this.#resting.set(segment, clock.monotonic() + REST_MS);
        const err = TroughError.from(error);
        log.warn({ segment, node, err }, 'a lease on a drained node could not be given back and is tried again');
      });
  }
}
