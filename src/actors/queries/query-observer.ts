import { type QueryRecord } from '../../engine/engine.ts';
import { type Log } from '../../log.ts';
import { RecentMap } from '../../model/recent-map.ts';
import { type Clock } from '../../runtime/clock.ts';
import { SegmentRates } from '../shared/segment-rates.ts';
import { QueryFigures } from './query-figures.ts';
import { SegmentFigures } from './segment-figures.ts';
import { SlowQueries } from './slow-queries.ts';

export interface QueryObserverDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** What counts as slow; 0: only queries that were killed. */
  readonly slowMs: number;
}

/** Segments whose figures are kept: those that were queried last. */
const SEGMENTS = 1_000;
/** So many could each do with a further copy at a time. */
const READS = { mostTold: 8, kept: 0 };
const NOTHING = new SegmentFigures(null);

/** Told of every query that ends on this node, in the middle of work: well under a microsecond for each, in bounded memory. */
export class QueryObserver implements Disposable {
  readonly all = new QueryFigures();
  readonly slow: SlowQueries;
  readonly rates: SegmentRates;
  readonly #clock: Clock;
  readonly #segments = new RecentMap<string, SegmentFigures>(SEGMENTS);

  constructor(deps: QueryObserverDeps) {
    this.#clock = deps.clock;
    this.slow = new SlowQueries(deps);
    this.rates = new SegmentRates(deps.clock, READS);
  }

  /** For the engine's `onQuery`. */
  readonly add = (record: QueryRecord): void => {
    const nowMs = this.#clock.now();
    this.all.add(record);
    this.rates.add(record.segment);
    const figures = this.#segments.use(record.segment, () => new SegmentFigures(nowMs));
    figures.add(record, nowMs);
    if (this.slow.isSlow(record)) figures.addSlow(this.slow.add(record));
  };

  /** Zeros for a segment that was not queried, or so long ago that it is forgotten. */
  segment(id: string): SegmentFigures {
    return this.#segments.peek(id) ?? NOTHING;
  }

  knows(id: string): boolean {
    return this.#segments.peek(id) !== undefined;
  }

  [Symbol.dispose](): void {
    this.slow[Symbol.dispose]();
  }
}
