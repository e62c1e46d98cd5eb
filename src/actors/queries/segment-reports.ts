import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type CopyFiles, type HotFiles } from '../../messages/local-files.ts';
import {
  type QueryReports,
  type SegmentStatsAnswer,
  type SlowQueriesAnswer,
  type SlowQuery,
} from '../../messages/query-reports.ts';
import { type Read } from '../../messages/reading.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { segmentUnknown } from '../../model/segment-unknown.ts';
import { queryPlan } from './query-plan.ts';
import { type QueryObserver } from './query-observer.ts';

export interface SegmentReportsDeps {
  readonly node: string;
  readonly queries: QueryObserver;
  /** The queries of a segment that the engine has before it now. */
  readonly load: (segment: SegmentId) => { readonly running: number; readonly waiting: number };
  readonly view: ClusterView;
  readonly hot: Pick<HotFiles, 'hotFile'>;
  readonly copies: CopyFiles;
  /** What was fetched because it was read here. */
  readonly fetched: CopyFiles;
  readonly cold: ColdStore;
  /** For plans. */
  readonly read: Read;
}

/** Tells people and programs what this node knows of its queries. */
export class SegmentReports implements QueryReports {
  readonly #deps: SegmentReportsDeps;

  constructor(deps: SegmentReportsDeps) {
    this.#deps = deps;
  }

  /** SEGMENT_UNKNOWN as a read would say it; a cold storage that is away matters only for a segment that nothing here knows of. */
  async segment(
    segment: SegmentId,
    { plan }: { readonly plan: boolean },
    signal: AbortSignal,
  ): Promise<SegmentStatsAnswer> {
    if (!(await this.#exists(segment, signal))) throw segmentUnknown(segment);
    const { node, queries, load } = this.#deps;
    const { slow, ...figures } = queries.segment(segment).report();
    return {
      segment,
      node,
      ...figures,
      ...load(segment),
      served: this.#served(segment),
      slowMs: queries.slow.slowMs,
      slow: plan ? await this.#withPlans(segment, slow, signal) : slow,
    };
  }

  slow(): SlowQueriesAnswer {
    return { node: this.#deps.node, ...this.#deps.queries.slow.report() };
  }

  async #exists(segment: SegmentId, signal: AbortSignal): Promise<boolean> {
    const { view, hot, copies, queries, cold } = this.#deps;
    if (hot.hotFile(segment) !== undefined) return true;
    const lease = view.lease(segment)?.document;
    if (lease !== undefined) return lease.state !== 'shredded';
    if (copies.copy(segment) !== undefined || queries.knows(segment)) return true;
    return (await cold.stat(segment, signal)) !== undefined;
  }

  #served(segment: SegmentId): SegmentStatsAnswer['served'] {
    const hot = this.#deps.hot.hotFile(segment);
    if (hot !== undefined) return { version: `live-${String(hot.epoch)}`, sizeBytes: null };
    const copy = this.#deps.copies.copy(segment) ?? this.#deps.fetched.copy(segment);
    return copy === undefined ? null : { version: String(copy.version), sizeBytes: copy.sizeBytes };
  }

  /** One after the other: they are asked beside the queries of others. */
  async #withPlans(segment: SegmentId, slow: readonly SlowQuery[], signal: AbortSignal): Promise<SlowQuery[]> {
    const planned: SlowQuery[] = [];
    for (const query of slow) planned.push({ ...query, ...(await this.#planOf(segment, query, signal)) });
    return planned;
  }

  async #planOf(
    segment: SegmentId,
    { sql, cut }: SlowQuery,
    signal: AbortSignal,
  ): Promise<Pick<SlowQuery, 'plan' | 'planError'>> {
    if (cut) return { planError: 'only the beginning of its SQL was kept' };
    try {
      return { plan: [...(await queryPlan(this.#deps.read, segment, sql, signal))] };
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return { planError: TroughError.from(thrown).message };
    }
  }
}
