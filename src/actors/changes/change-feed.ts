import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type Journal } from '../../journal/journal.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type ChangesPage, type ChangesRequest, type ReadChanges } from '../../messages/changes.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { type NamePattern } from './change-readers.ts';
import { MatchingChanges } from './matching-changes.ts';
import { Patience } from './patience.ts';
import { SegmentChanges } from './segment-changes.ts';
import { SegmentStreams } from './segment-streams.ts';
import { StreamPulse } from './stream-pulse.ts';

export interface ChangeFeedDeps {
  readonly clock: Clock;
  /** Absent: this node runs without. */
  readonly journal?: Journal;
  readonly view: Pick<ClusterView, 'lease'>;
  readonly store: MetadataStore;
  readonly cold: Pick<ColdStore, 'stat'>;
  /** A regular expression in Python's syntax. REQUEST_INVALID. */
  readonly pattern: (text: string) => NamePattern;
  /** Most requests that wait or are answered at a time. */
  readonly mostOpen: number;
  /** Of the records of one answer, about: one record is always taken whole. */
  readonly pageBytes: number;
}

const STORE_DEADLINE_MS = 5_000;
/** For what reading takes, beside the waiting. */
const WORK_MS = 30_000;

/**
 * Answers what was committed behind a position, or what comes while somebody waits: read from the journal itself, which is what every opener of a
 * segment replays, so nothing is shown that could still be taken back, and nothing is left out. Who follows keeps the position; nothing is kept for it here, so it
 * goes on at any other node, and what it does not take is not sent.
 */
export class ChangeFeed {
  readonly #deps: ChangeFeedDeps;
  readonly #stopping = new AbortController();
  readonly #streams = new Set<string>();
  readonly #of: { readonly segment: SegmentChanges; readonly matching: MatchingChanges } | undefined;
  readonly #places: SegmentStreams;
  #open = 0;

  constructor(deps: ChangeFeedDeps) {
    this.#deps = deps;
    const { clock, journal, pageBytes, pattern } = deps;
    const leases = new LeaseStore(deps, STORE_DEADLINE_MS);
    this.#places = new SegmentStreams({ ...deps, leases });
    if (journal === undefined) return;
    const shared = { clock, journal, pageBytes, leases, pulse: new StreamPulse({ clock, journal }) };
    this.#of = {
      segment: new SegmentChanges({ ...shared, streams: this.#places }),
      matching: new MatchingChanges({ ...shared, pattern, streams: () => this.#streams }),
    };
  }

  get openCount(): number {
    return this.#open;
  }

  readonly read: ReadChanges = async (request, deliver, signal) => {
    const { mostOpen } = this.#deps;
    if (this.#stopping.signal.aborted) throw this.#stopping.signal.reason as TroughError;
    if (this.#open >= mostOpen) {
      const message = `${String(mostOpen)} requests for changes are open on this node: ask another one, or raise maxFeeds`;
      throw new TroughError('FEED_FULL', message, { mostOpen });
    }
    this.#open += 1;
    try {
      await deliver(await this.#page(request, signal));
    } finally {
      this.#open -= 1;
    }
  };

  /** A segment has its records in that stream. */
  saw(stream: string): void {
    this.#streams.add(stream);
  }

  /** Those who wait are told to ask another node. */
  stop(): void {
    this.#stopping.abort(new TroughError('STOPPING', 'this node stops: ask another one for the changes'));
  }

  async #page({ of, since, waitMs }: ChangesRequest, signal: AbortSignal): Promise<ChangesPage> {
    const outer = AbortSignal.any([signal, this.#stopping.signal]);
    const readers = this.#of;
    if (readers === undefined) {
      if ('segment' in of) await this.#places.of(of.segment, outer);
      const message =
        'this node runs without a journal, and so cannot tell what was written: ask a node with --journal nats';
      throw new TroughError('NODE_UNAVAILABLE', message);
    }
    return withDeadline(
      this.#deps.clock,
      waitMs + WORK_MS,
      async (gone) => {
        using patience = new Patience(this.#deps.clock, waitMs, gone);
        return 'segment' in of
          ? await readers.segment.page(of.segment, since, patience)
          : await readers.matching.page(of.matching, since, patience);
      },
      outer,
    );
  }
}
