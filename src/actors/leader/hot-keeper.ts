import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView, isLost } from '../../messages/cluster-view.ts';
import { emptyRule } from '../../messages/copy-places.ts';
import { encodeDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type SegmentTreatment } from '../../model/segment-rules.ts';
import { type Actor } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type LeadershipState } from './leadership.ts';

export interface HotKeeperMessage {
  readonly kind: 'tick';
}

export interface HotSettings {
  /** Reads of one segment in a second, for each of its copies, above which it gets more; 0: never. */
  readonly hotReads: number;
  /** So many copies a segment gets by that at most. */
  readonly hotCopies: number;
  /** Copies that were added so go when they were not needed for this, ms. */
  readonly hotForMs: number;
}

export interface HotKeeperDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly leadership: LeadershipState;
  /** What a segment gets, its own rule included. */
  readonly rule: (id: string) => SegmentTreatment;
  readonly bySettings: (id: string) => SegmentTreatment;
  readonly settings: HotSettings;
}

interface Watched {
  /** Since when its copies are too few, or more than it needs; by the monotonic clock. */
  busySince: number | undefined;
  quietSince: number | undefined;
  changedAt: number;
}

/** It must be read so much for this before it gets more. */
const BUSY_MS = 15_000;
/** The next copies come when those before had the time to be of use. */
const REST_MS = 60_000;
/** However many segments are read very much, no more than this have more copies for it. */
const MOST_SEGMENTS = 100;
const STORE_DEADLINE_MS = 5_000;

/**
 * Gives a segment that is read far more than others more copies for a while: at most twice as many at a time, never sooner than a minute after the
 * last change of it, and back by halves after a quiet time. The nodes tell the rates in their beats, of the few segments that matter.
 */
export class HotKeeper implements Actor<HotKeeperMessage> {
  readonly name = 'hot-keeper';
  readonly #deps: HotKeeperDeps;
  readonly #watched = new Map<string, Watched>();

  constructor(deps: HotKeeperDeps) {
    this.#deps = deps;
  }

  async receive(): Promise<void> {
    const { leadership, view } = this.#deps;
    const { term } = leadership;
    if (term === undefined || !view.current || isLost(view)) {
      this.#watched.clear();
      return;
    }
    const rates = this.#rates();
    const raised = Array.from(view.rules()).filter(({ document }) => document.hot !== null);
    const segments = new Set([...rates.keys(), ...raised.map(({ document }) => document.segment)]);
    for (const segment of this.#watched.keys()) if (!segments.has(segment)) this.#watched.delete(segment);
    for (const segment of segments) {
      const copies = this.#due(segment, rates.get(segment) ?? 0, raised.length);
      if (copies !== undefined) await this.#write(segment, copies, term);
    }
  }

  /** Reads in a second over all nodes; of one that is being written its holder alone answers, and more copies help nobody. */
  #rates(): Map<string, number> {
    const { view, settings } = this.#deps;
    const rates = new Map<string, number>();
    if (settings.hotReads === 0) return rates;
    for (const { beat, state } of view.nodes()) {
      if (state !== 'alive') continue;
      for (const { segment, perSecond } of beat?.read ?? []) {
        if (view.lease(segment)?.document.state === 'held') continue;
        rates.set(segment, (rates.get(segment) ?? 0) + perSecond);
      }
    }
    return rates;
  }

  /** How many copies it is to have from now on; undefined: as it has, null: as it would have without. */
  #due(segment: string, perSecond: number, raised: number): number | null | undefined {
    const { clock, view, rule, bySettings, settings } = this.#deps;
    const now = clock.monotonic();
    const watched = this.#watched.get(segment) ?? { busySince: undefined, quietSince: undefined, changedAt: -Infinity };
    this.#watched.set(segment, watched);
    const { copies, tier } = rule(segment);
    const hot = view.rule(segment)?.document.hot?.copies;
    const usual = view.rule(segment)?.document.copies ?? bySettings(segment).copies;
    const most = Math.min(settings.hotCopies, this.#nodes());
    const isBusy = tier === 'hot' && perSecond > settings.hotReads * copies && copies < most;
    const fewer = Math.max(usual, Math.ceil((hot ?? 0) / 2));
    const isQuiet = hot !== undefined && (fewer >= hot || perSecond < (settings.hotReads * fewer) / 2);
    watched.busySince = isBusy ? (watched.busySince ?? now) : undefined;
    watched.quietSince = isQuiet ? (watched.quietSince ?? now) : undefined;
    if (now - watched.changedAt < REST_MS) return undefined;
    if (now - (watched.busySince ?? Infinity) >= BUSY_MS && (hot !== undefined || raised < MOST_SEGMENTS)) {
      return Math.min(most, copies * 2, Math.ceil(perSecond / settings.hotReads));
    }
    if (now - (watched.quietSince ?? Infinity) < settings.hotForMs) return undefined;
    watched.quietSince = undefined;
    return fewer <= usual ? null : fewer;
  }

  #nodes(): number {
    const { view } = this.#deps;
    return view.nodes().filter(({ document, state }) => state === 'alive' && document.roles.includes('sync-local'))
      .length;
  }

  async #write(segment: string, copies: number | null, term: number): Promise<void> {
    const { store, clock, log, view } = this.#deps;
    const entry = view.rule(segment);
    const key = keys.rule(segment);
    const sinceMs = clock.now();
    const before = entry?.document ?? emptyRule(segment, sinceMs);
    if (before.term > term) return;
    const hot = copies === null ? null : { copies, sinceMs: before.hot?.sinceMs ?? sinceMs };
    const value = encodeDocument({ ...before, hot, term });
    try {
      await withDeadline(clock, STORE_DEADLINE_MS, (signal) =>
        entry === undefined ? store.create(key, value, signal) : store.update(key, value, entry.revision, signal),
      );
    } catch (error) {
      const err = TroughError.from(error);
      log.debug({ actor: this.name, segment, err }, 'the copies of a segment could not be changed; it is tried again');
      return;
    }
    const watched = this.#watched.get(segment);
    if (watched !== undefined) watched.changedAt = clock.monotonic();
    const fields = { actor: this.name, segment, copies };
    if (copies === null) log.info(fields, 'a segment is not read so much any more: it has its usual copies again');
    else log.info(fields, 'a segment is read very much: its copies are changed for as long as that lasts');
  }
}
