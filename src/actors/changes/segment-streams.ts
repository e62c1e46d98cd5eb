import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { segmentUnknown } from '../../model/segment-unknown.ts';
import { type LeaseStore } from '../shared/lease-store.ts';

export interface SegmentStreamsDeps {
  readonly view: Pick<ClusterView, 'lease'>;
  readonly leases: LeaseStore;
  readonly cold: Pick<ColdStore, 'stat'>;
}

/** Knows in which stream of the journal a segment's writes are noted. */
export class SegmentStreams {
  readonly #deps: SegmentStreamsDeps;

  constructor(deps: SegmentStreamsDeps) {
    this.#deps = deps;
  }

  /** SEGMENT_UNKNOWN; FEED_NO_JOURNAL: they are noted nowhere. */
  async of(
    segment: SegmentId,
    signal: AbortSignal,
  ): Promise<{ readonly stream: string; readonly isShredded: boolean }> {
    const lease = await this.#lease(segment, signal);
    if (lease === undefined) {
      if ((await this.#deps.cold.stat(segment)) === undefined) throw segmentUnknown(segment);
      throw noJournal(segment, 'was never open for writing: what cold storage has is all of it');
    }
    const { stream, state } = lease;
    if (stream !== null) return { stream, isShredded: state === 'shredded' };
    throw state === 'shredded'
      ? segmentUnknown(segment)
      : noJournal(segment, 'was made writable without a journal (--journal none)');
  }

  /** The stream of a segment never changes, so what is seen of it will do; anything else is asked of the store. */
  async #lease(segment: SegmentId, signal: AbortSignal): Promise<LeaseDocument | undefined> {
    const seen = this.#deps.view.lease(segment)?.document;
    if (seen !== undefined && seen.stream !== null && seen.state !== 'shredded') return seen;
    return (await this.#deps.leases.read(segment, signal))?.document;
  }
}

function noJournal(segment: string, why: string): TroughError {
  return new TroughError('FEED_NO_JOURNAL', `there is no record of the writes of '${segment}': it ${why}`, { segment });
}
