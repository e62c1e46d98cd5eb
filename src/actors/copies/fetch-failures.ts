import { type ErrorCode, type TroughError } from '../../errors.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type CopyReport } from '../../messages/copy-report.ts';
import { type Log } from '../../log.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { type Clock } from '../../runtime/clock.ts';

export interface FetchFailuresDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
}

/** Whether nobody waits for it any more. `now`: with this failure; `before`: with an earlier one. */
type SetAside = 'no' | 'now' | 'before';

interface Failing {
  readonly version: number;
  readonly backoff: Backoff;
  /** How often what lies in cold storage was itself to blame. */
  bad: number;
  error: TroughError;
  /** When it is to be tried again, by the monotonic clock; Infinity while it is being tried. */
  at: number;
}

/** Errors that say that the file in cold storage cannot be used, whoever fetches it. */
const BAD_FILE: ReadonlySet<ErrorCode> = new Set(['SEGMENT_DAMAGED', 'COLD_COPY_TORN', 'COLD_MISSING']);
const SET_ASIDE_AFTER = 3;
const REST = { firstMs: 500, mostMs: 600_000 };
const DISK_FULL_LOG_MS = 60_000;

/**
 * What could not be fetched and when each is tried again: one bad file neither hurries nor holds up the others.
 * A version whose file is bad three times is set aside: nobody waits for it any more, and it is still tried now and then.
 */
export class FetchFailures {
  readonly #deps: FetchFailuresDeps;
  readonly #failing = new Map<SegmentId, Failing>();
  #setAside = 0;
  #diskFullSaidAt = -Infinity;

  constructor(deps: FetchFailuresDeps) {
    this.#deps = deps;
  }

  /** The number of segments that are set aside. */
  get unfetchable(): number {
    return this.#setAside;
  }

  /** One of those that are set aside, and how it failed last. */
  get example(): { readonly segment: SegmentId; readonly code: ErrorCode } | undefined {
    if (this.#setAside === 0) return undefined;
    for (const [segment, { bad, error }] of this.#failing)
      if (bad >= SET_ASIDE_AFTER) return { segment, code: error.code };
    return undefined;
  }

  failed(id: SegmentId, { version }: ManifestRow, error: TroughError): void {
    if (this.#failing.get(id)?.version !== version) this.clear(id);
    const backoff = this.#failing.get(id)?.backoff ?? new Backoff(REST, this.#deps.random);
    const failing = this.#failing.get(id) ?? { version, backoff, bad: 0, at: 0, error };
    this.#failing.set(id, failing);
    failing.error = error;
    const before = failing.bad >= SET_ASIDE_AFTER;
    if (BAD_FILE.has(error.code)) failing.bad += 1;
    const now = !before && failing.bad >= SET_ASIDE_AFTER;
    if (now) this.#setAside += 1;
    const restMs = failing.backoff.next();
    failing.at = this.#deps.clock.monotonic() + restMs;
    const fields = { actor: 'copier', segment: id, version, err: error, restMs };
    if (error.code === 'DISK_FULL') this.#sayDiskFull(fields);
    else this.#say(before ? 'before' : now ? 'now' : 'no', fields);
  }

  #say(setAside: SetAside, fields: object): void {
    const { log } = this.#deps;
    if (setAside === 'now')
      log.error(
        fields,
        'a copy cannot be fetched: its file in cold storage is bad; put a sound one there, or promote or shred the segment',
      );
    else if (setAside === 'before') log.debug(fields, 'a copy still cannot be fetched');
    else log.warn(fields, 'a copy could not be fetched and is tried again');
  }

  #sayDiskFull(fields: object): void {
    const now = this.#deps.clock.monotonic();
    if (now - this.#diskFullSaidAt < DISK_FULL_LOG_MS) return;
    this.#diskFullSaidAt = now;
    this.#deps.log.error(fields, 'the disk has no room for more copies; make room, or add a node');
  }

  /** How it failed last; null when it has not. */
  of(id: SegmentId): NonNullable<CopyReport['wanted']>['failure'] {
    const failing = this.#failing.get(id);
    if (failing === undefined) return null;
    const { code, message } = failing.error;
    const restMs = failing.at === Infinity ? 0 : Math.max(0, failing.at - this.#deps.clock.monotonic());
    return { code, message, restMs, setAside: failing.bad >= SET_ASIDE_AFTER };
  }

  /** It was fetched, is wanted in another version, or is not wanted any more. */
  clear(id: SegmentId): void {
    if ((this.#failing.get(id)?.bad ?? 0) >= SET_ASIDE_AFTER) this.#setAside -= 1;
    this.#failing.delete(id);
  }

  /** Those whose rest is over; each is named once until it fails again. */
  takeDue(): SegmentId[] {
    const now = this.#deps.clock.monotonic();
    const due: SegmentId[] = [];
    for (const [id, failing] of this.#failing) {
      if (now < failing.at) continue;
      failing.at = Infinity;
      due.push(id);
    }
    return due;
  }
}
