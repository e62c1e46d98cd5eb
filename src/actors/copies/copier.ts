import { TroughError, unreachable } from '../../errors.ts';
import { type ManifestAnswer, type ManifestRow } from '../../messages/control.ts';
import { type CopyReport } from '../../messages/copy-report.ts';
import { type Assign } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Actor } from '../../runtime/actor.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { type CopyFetcherDeps, fetchCopy } from './copy-fetcher.ts';
import { CopyRemover, type CopyRemoverDeps } from './copy-remover.ts';
import { DiskRoom } from './disk-room.ts';
import { type CopyRate, FetchRate } from './fetch-rate.ts';
import { FetchFailures } from './fetch-failures.ts';

export type CopierMessage =
  | { readonly kind: 'assign'; readonly assign: Assign }
  /** The engine or a check found the copy broken: it is not served from now on, and fetched again. */
  | { readonly kind: 'damaged'; readonly segment: SegmentId }
  | { readonly kind: 'tick' };

export interface CopierDeps
  extends Omit<CopyFetcherDeps, 'room'>, Omit<CopyRemoverDeps, 'fetching' | 'shredded' | 'stopping'> {
  readonly random: () => number;
  readonly store: MetadataStore;
  readonly node: string;
  readonly parallel: number;
  /** One page of what this node must hold, from the leader. */
  readonly manifest: (after: string | undefined, signal: AbortSignal) => Promise<ManifestAnswer>;
}

/** What a beat says of the copies. */
export interface CopierState {
  readonly pending: number;
  readonly pendingBytes: number;
  readonly fetched: CopyRate | null;
  /** Copies that nobody waits for because their files in cold storage are bad: neither pending nor in the way of `complete`. */
  readonly unfetchable: number;
  readonly complete: { readonly term: number; readonly epoch: number } | null;
  /** What is still to be fetched of one segment. */
  wantedOf(segment: SegmentId): CopyReport['wanted'];
}

const CALL_DEADLINE_MS = 30_000;
const DISK_FULL_LOG_MS = 60_000;

/**
 * Makes the copies on this node match what the leader assigns. Changes come as messages; whenever one may have been missed
 * (another term or epoch, a gap in their numbers, a restart) the whole manifest is asked for, page by page.
 */
export class Copier implements Actor<CopierMessage>, CopierState {
  readonly name = 'copier';
  readonly #deps: CopierDeps;
  readonly #tasks: KeyedTasks;
  readonly #stopping = new AbortController();
  readonly #wanted = new Map<SegmentId, ManifestRow>();
  readonly #fetching = new Set<SegmentId>();
  readonly #failures: FetchFailures;
  readonly #rate: FetchRate;
  readonly #remover: CopyRemover;
  readonly #room: DiskRoom;
  #place: { term: number; epoch: number; sequence: number } | undefined;
  #reconciling: Promise<void> | undefined;
  #diskFullSaidAt = -Infinity;
  #again = false;

  constructor(deps: CopierDeps) {
    this.#deps = deps;
    this.#tasks = new KeyedTasks({ parallel: deps.parallel, waiting: Infinity });
    this.#failures = new FetchFailures(deps);
    this.#rate = new FetchRate(deps.clock);
    this.#room = new DiskRoom(deps.disk, deps.paths.tmpDir);
    this.#remover = new CopyRemover({
      ...deps,
      fetching: (id) => this.#fetching.has(id) || this.#wanted.has(id),
      shredded: (id, signal) => this.#isShredded(id, signal),
      stopping: this.#stopping.signal,
    });
  }

  get pending(): number {
    return this.#wanted.size - this.#failures.unfetchable;
  }

  get pendingBytes(): number {
    return Array.from(this.#wanted.values()).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get fetched(): CopyRate | null {
    return this.#rate.rate;
  }

  wantedOf(segment: SegmentId): CopyReport['wanted'] {
    const row = this.#wanted.get(segment);
    if (row === undefined) return null;
    return { version: row.version, fetching: this.#fetching.has(segment), failure: this.#failures.of(segment) };
  }

  get unfetchable(): number {
    return this.#failures.unfetchable;
  }

  get complete(): { term: number; epoch: number } | null {
    if (this.#place === undefined || this.#reconciling !== undefined || this.pending > 0) return null;
    return { term: this.#place.term, epoch: this.#place.epoch };
  }

  /** A store or an inventory that fails for a moment must not end what is being fetched: what was missed comes with the next manifest. */
  async receive(message: CopierMessage): Promise<void> {
    try {
      await this.#handle(message);
    } catch (error) {
      const fields = { actor: this.name, message: message.kind, err: TroughError.from(error) };
      this.#deps.log.warn(fields, 'a message could not be handled; the manifest is asked for again');
      this.#again = true;
    }
  }

  async #handle(message: CopierMessage): Promise<void> {
    switch (message.kind) {
      case 'assign':
        await this.#assigned(message.assign);
        return;
      case 'damaged':
        await this.#damaged(message.segment);
        return;
      case 'tick':
        this.#tick();
        return;
      default:
        unreachable(message);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reconciling;
    await this.#remover.idle();
    await this.#tasks.idle();
  }

  async #assigned({ term, epoch, sequence, changed, shredded }: Assign): Promise<void> {
    const place = this.#place;
    if (place !== undefined && term < place.term) return;
    for (const segment of shredded) await this.#shredded(segment);
    // A repeat takes no number of its own: one that is ahead means that a message was missed.
    const ahead = changed.length + shredded.length > 0 ? 1 : 0;
    const next =
      place?.term === term &&
      place.epoch === epoch &&
      (sequence === place.sequence || sequence === place.sequence + ahead);
    if (!next) {
      this.#reconcileSoon();
      return;
    }
    this.#place = { term, epoch, sequence };
    for (const row of changed) this.#want(row);
    // The manifest that is being read may be from before this change, and drops what it does not name.
    if (this.#reconciling !== undefined) this.#again = true;
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #want(row: ManifestRow): void {
    if (!isSegmentId(row.id)) return;
    this.#remover.keep(row.id);
    const have = this.#deps.inventory.held(row.id);
    if (have !== undefined && have.version >= row.version) return;
    if ((this.#wanted.get(row.id)?.version ?? -1) >= row.version) return;
    this.#wanted.set(row.id, row);
    this.#failures.clear(row.id);
    void this.#tasks.run(row.id, () => this.#fetch(row.id as SegmentId));
  }

  #unwant(id: SegmentId): void {
    this.#wanted.delete(id);
    this.#failures.clear(id);
  }

  async #fetch(id: SegmentId): Promise<void> {
    await this.#remover.removed(id);
    const row = this.#wanted.get(id);
    if (row === undefined || this.#stopped()) return;
    this.#fetching.add(id);
    this.#rate.started();
    let fetchedBytes: number | undefined;
    try {
      await fetchCopy({ ...this.#deps, room: this.#room }, id, row, this.#stopping.signal);
      fetchedBytes = row.sizeBytes;
      if (this.#wanted.get(id) === row) this.#unwant(id);
    } catch (error) {
      // What is not wanted any more, or in another version, has not failed.
      if (!this.#stopped() && this.#wanted.get(id) === row) this.#failed(id, row, TroughError.from(error));
    } finally {
      this.#rate.ended(fetchedBytes);
      this.#fetching.delete(id);
    }
  }

  #failed(id: SegmentId, row: ManifestRow, err: TroughError): void {
    const { log } = this.#deps;
    const { restMs, setAside } = this.#failures.failed(id, row, err);
    const fields = { actor: this.name, segment: id, version: row.version, err, restMs };
    if (err.code === 'DISK_FULL') this.#sayDiskFull(fields);
    else if (setAside === 'now')
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

  async #damaged(segment: SegmentId): Promise<void> {
    const held = this.#deps.inventory.held(segment);
    if (held === undefined) return;
    this.#deps.log.error({ actor: this.name, segment, version: held.version }, 'a copy is damaged and is replaced');
    await this.#remover.remove([segment]);
    this.#reconcileSoon();
  }

  /** The word of a message deletes nothing: the lease itself must say that the segment is shredded. */
  async #shredded(segment: string): Promise<void> {
    const id = parseSegmentId(segment);
    if (!(await this.#isShredded(id))) return;
    this.#unwant(id);
    // In turn with a fetch that may be under way, which would put the copy back; but nobody waits here for that.
    const removal = this.#tasks.run(id, () => this.#remover.remove([id]));
    if (!this.#fetching.has(id)) return removal;
    void removal.catch((error: unknown) => {
      this.#deps.log.warn(
        { segment: id, err: TroughError.from(error) },
        'the copy of a shredded segment could not be removed',
      );
    });
  }

  async #isShredded(id: SegmentId, signal?: AbortSignal): Promise<boolean> {
    const lease = await new LeaseStore(this.#deps, CALL_DEADLINE_MS).read(id, signal);
    return lease?.document.state === 'shredded';
  }

  #tick(): void {
    for (const id of this.#failures.takeDue()) void this.#tasks.run(id, () => this.#fetch(id));
    if (this.#place === undefined || this.#again) this.#reconcileSoon();
    this.#remover.tick();
  }

  #reconcileSoon(): void {
    if (this.#reconciling !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#reconciling = this.#reconcile()
      .catch((error: unknown) => {
        this.#again = true;
        if (!this.#stopped()) {
          this.#deps.log.debug(
            { actor: this.name, err: TroughError.from(error) },
            'the manifest could not be had and is asked for again',
          );
        }
      })
      .finally(() => {
        this.#reconciling = undefined;
      });
  }

  async #reconcile(): Promise<void> {
    const asked = new Set<string>();
    let after: string | undefined;
    let first: ManifestAnswer | undefined;
    do {
      const from = after;
      const page = await withDeadline(
        this.#deps.clock,
        CALL_DEADLINE_MS,
        (signal) => this.#deps.manifest(from, signal),
        this.#stopping.signal,
      );
      first ??= page;
      if (page.term !== first.term || page.epoch !== first.epoch)
        throw new TroughError('LEADER_DEPOSED', 'the manifest changed while it was read');
      for (const row of page.rows) {
        asked.add(row.id);
        this.#want(row);
      }
      after = page.next;
    } while (after !== undefined);
    this.#place = { term: first.term, epoch: first.epoch, sequence: first.sequence };
    this.#remover.keepOnly(asked);
    for (const id of this.#wanted.keys()) if (!asked.has(id)) this.#unwant(id);
  }
}
