import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { type HotSegment } from './hot-segment.ts';

export interface UpkeepDeps {
  readonly log: Log;
  readonly promoteAfterMs: number;
  readonly releaseAfterMs: number;
  /** Asks the leader, who tells the others. */
  readonly leader: {
    readonly promote: (segment: SegmentId) => Promise<unknown>;
    readonly release: (segment: SegmentId) => Promise<unknown>;
  };
}

/** Has open segments promoted whose writes waited long enough, and given up that nobody writes any more. */
export class Upkeep {
  readonly #deps: UpkeepDeps;
  readonly #tasks = new KeyedTasks({ parallel: 4, waiting: Infinity });
  readonly #underWay = new Set<SegmentId>();

  constructor(deps: UpkeepDeps) {
    this.#deps = deps;
  }

  look(hot: HotSegment): void {
    const { promoteAfterMs, releaseAfterMs, leader } = this.#deps;
    if (!hot.open || hot.broken || this.#underWay.has(hot.id)) return;
    if (hot.idleMs >= releaseAfterMs) this.#ask(hot.id, 'release', leader.release);
    else if (hot.unpromotedMs >= promoteAfterMs || hot.isPressed) this.#ask(hot.id, 'promote', leader.promote);
  }

  #ask(id: SegmentId, what: string, ask: (segment: SegmentId) => Promise<unknown>): void {
    this.#underWay.add(id);
    void this.#tasks
      .run(id, () => ask(id))
      .catch((error: unknown) => {
        this.#deps.log.warn(
          { segment: id, what, err: TroughError.from(error) },
          'a segment could not be tidied up and is tried again',
        );
      })
      .finally(() => this.#underWay.delete(id));
  }
}
