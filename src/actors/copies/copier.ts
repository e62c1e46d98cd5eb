import { TroughError, unreachable } from '../../errors.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type CopyEvent, type CopyReport, type FoundBy } from '../../messages/copy-report.ts';
import { type Assign } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { Throttle } from '../../runtime/throttle.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { type CopierState } from './copier-state.ts';
import { type CopyFetcherDeps, fetchCopy } from './copy-fetcher.ts';
import { isHeldElsewhere } from './copy-elsewhere.ts';
import { CopyRemover, type CopyRemoverDeps } from './copy-remover.ts';
import { DiskRoom } from './disk-room.ts';
import { type CopyRate, FetchRate } from './fetch-rate.ts';
import { FetchFailures } from './fetch-failures.ts';
import { type ManifestReaderDeps, readManifest, type WholeManifest } from './manifest-reader.ts';
import { Repairs } from './repairs.ts';
import { wrongCopies } from './wrong-copies.ts';

export type CopierMessage =
  | { readonly kind: 'assign'; readonly assign: Assign }
  /**
   * The copy was found missing or wrong: it is not served from now on, and fetched again. `version`: the one that was looked at, when that took
   * so long that it may be another by now.
   */
  | {
      readonly kind: 'damaged';
      readonly segment: SegmentId;
      readonly foundBy: FoundBy;
      readonly version?: number | undefined;
    }
  /**
   * A file of a segment that belongs here has no record: it is fetched as another node has it, unless the leader names it anyway. One that nobody
   * else knows of is moved to `aside`.
   */
  | { readonly kind: 'unrecorded'; readonly segment: SegmentId; readonly aside: string }
  /** What is here is compared with all that the leader names. */
  | { readonly kind: 'compare' }
  | { readonly kind: 'tick' };

export interface CopierDeps
  extends
    Omit<CopyFetcherDeps, 'room' | 'isToBeKept'>,
    Omit<CopyRemoverDeps, 'fetching' | 'shredded' | 'stopping' | 'heldElsewhere'>,
    ManifestReaderDeps {
  readonly random: () => number;
  readonly store: MetadataStore;
  readonly node: string;
  readonly parallel: number;
  /** What fetches may bring in a second, on average and together. Default: as fast as they come. */
  readonly bytesPerSecond?: number | undefined;
  readonly emit: Emit<CopyEvent>;
  /** The newest copy that another node has of it; undefined: none, or none says so. */
  readonly newestElsewhere: (segment: SegmentId) => Promise<ManifestRow | undefined>;
}

const CALL_DEADLINE_MS = 30_000;

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
  readonly repairs: Repairs;
  readonly #rate: FetchRate;
  readonly #remover: CopyRemover;
  readonly #room: DiskRoom;
  readonly #pace: Throttle;
  #place: WholeManifest['place'] | undefined;
  #reconciling: Promise<void> | undefined;
  #again = false;

  constructor(deps: CopierDeps) {
    this.#deps = deps;
    this.#tasks = new KeyedTasks({ parallel: deps.parallel, waiting: Infinity });
    this.#failures = new FetchFailures(deps);
    this.repairs = new Repairs(deps);
    this.#rate = new FetchRate(deps.clock);
    this.#room = new DiskRoom(deps.disk, deps.paths.tmpDir);
    this.#pace = new Throttle(deps.clock, deps.bytesPerSecond ?? Infinity);
    this.#remover = new CopyRemover({
      ...deps,
      fetching: (id) => this.#fetching.has(id) || this.#wanted.has(id),
      shredded: (id, signal) => this.#isShredded(id, signal),
      heldElsewhere: (id, signal) => isHeldElsewhere(deps, id, signal),
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

  get unfetchableOne(): FetchFailures['example'] {
    return this.#failures.example;
  }

  /** Its file may be another in a moment: it is being fetched, or taken away. */
  isBusy(id: SegmentId): boolean {
    return this.#fetching.has(id) || this.#remover.isRemoving(id);
  }

  /** Moves a file of it away that is no copy: in turn with a copy that is fetched. */
  setAside(id: SegmentId, to: string): Promise<void> {
    return this.#remover.setAside(id, to);
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
        await this.#damaged(message);
        return;
      case 'unrecorded':
        await this.#unrecorded(message);
        return;
      case 'compare':
        this.#reconcileSoon();
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

  async #assigned({ term, epoch, sequence, changed, shredded, unasked, more }: Assign): Promise<void> {
    const place = this.#place;
    if (place !== undefined && term < place.term) return;
    this.#remover.hold(more);
    for (const segment of shredded) await this.#shredded(segment);
    // A repeat takes no number of its own: one that is ahead means that a message was missed.
    const ahead = changed.length + shredded.length + unasked.length > 0 ? 1 : 0;
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
    for (const id of unasked) if (isSegmentId(id)) this.#unasked(id);
    // The manifest that is being read may be from before this change, and drops what it does not name.
    if (this.#reconciling !== undefined) this.#again = true;
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #want(row: ManifestRow): void {
    if (!isSegmentId(row.id)) return;
    this.#remover.keep(row.id);
    if ((this.#deps.inventory.held(row.id)?.version ?? -1) >= row.version) return;
    if ((this.#wanted.get(row.id)?.version ?? -1) >= row.version) return;
    this.#wanted.set(row.id, row);
    this.#failures.clear(row.id);
    void this.#tasks.run(row.id, () => this.#fetch(row.id as SegmentId));
  }

  #unasked(id: SegmentId): void {
    const isComing = this.#wanted.has(id);
    if (!isComing && this.#deps.inventory.held(id) === undefined) return;
    this.#remover.unask(id);
    // What is to be repaired may be gone from cold storage, and then nobody names it: its fetch finds out whether it is to be kept.
    if (isComing && !this.repairs.has(id)) this.#unwant(id);
  }

  #unwant(id: SegmentId): void {
    this.#wanted.delete(id);
    this.#failures.clear(id);
    this.repairs.drop(id);
  }

  async #fetch(id: SegmentId): Promise<void> {
    await this.#remover.removed(id);
    const row = this.#wanted.get(id);
    if (row === undefined || this.#stopped()) return;
    this.#fetching.add(id);
    this.#rate.started();
    let fetchedBytes: number | undefined;
    try {
      await this.#pace.take(row.sizeBytes, this.#stopping.signal);
      if (this.#wanted.get(id) !== row) return;
      const isToBeKept = this.#isToBeKept.bind(this);
      const from = await fetchCopy({ ...this.#deps, room: this.#room, isToBeKept }, id, row, this.#stopping.signal);
      fetchedBytes = row.sizeBytes;
      this.repairs.fetched(id, row.version, from);
      if (this.#wanted.get(id) === row) this.#unwant(id);
    } catch (error) {
      // What is not wanted any more, or in another version, has not failed.
      if (!this.#stopped() && this.#wanted.get(id) === row) this.#failures.failed(id, row, TroughError.from(error));
      // What is asked for goes before what may be.
      if (TroughError.from(error).code === 'DISK_FULL') this.#remover.hold(false);
    } finally {
      this.#rate.ended(fetchedBytes);
      this.#fetching.delete(id);
    }
  }

  /** Its file stays where it is until a sound one replaces it: it may be all there is. */
  async #damaged({ segment, foundBy, version }: CopierMessage & { kind: 'damaged' }): Promise<void> {
    const record = await this.#deps.inventory.record(segment);
    const held = this.#deps.inventory.held(segment);
    if (held === undefined || held.version !== (version ?? held.version)) return;
    const isSame = record?.version === held.version;
    await this.#replace(segment, isSame ? record : { id: segment, ...held, sha256: null }, foundBy);
  }

  #replace(segment: SegmentId, row: ManifestRow, foundBy: FoundBy): Promise<void> {
    const unrecorded = this.#deps.inventory.remove([segment]);
    this.repairs.begin(segment, row.version, foundBy);
    if (this.#remover.isUnasked(segment)) this.repairs.drop(segment);
    else this.#want(row);
    return unrecorded;
  }

  async #unrecorded({ segment, aside }: CopierMessage & { kind: 'unrecorded' }): Promise<void> {
    const isKnown = (): boolean => this.#wanted.has(segment) || this.#deps.inventory.held(segment) !== undefined;
    if (isKnown() || this.#place === undefined) return;
    const row = await this.#deps.newestElsewhere(segment);
    if (isKnown()) return;
    if (row === undefined) {
      await this.#remover.setAside(segment, aside);
      this.#deps.log.warn({ actor: this.name, segment, aside }, 'a file that nobody knows of was moved to lost+found');
      return;
    }
    this.repairs.begin(segment, row.version, 'look');
    this.#want(row);
  }

  async #isToBeKept(id: SegmentId, signal: AbortSignal): Promise<boolean> {
    const isNamed = (await this.#deps.namedNow(signal))(id);
    const isKept = isNamed && !(await this.#isShredded(id, signal));
    if (!isKept && this.repairs.has(id)) this.#unwant(id);
    return isKept;
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
    const take = async (rows: readonly ManifestRow[]): Promise<void> => {
      const others = new Set<string>(await wrongCopies(this.#deps.inventory, rows, (id) => this.#fetching.has(id)));
      for (const row of rows) {
        if (others.has(row.id)) await this.#replace(row.id as SegmentId, row, 'manifest');
        else this.#want(row);
      }
    };
    const { place, ids } = await readManifest(this.#deps, take, this.#stopping.signal);
    this.#place = place;
    const unasked = Array.from(this.#wanted.keys()).filter((id) => !ids.has(id));
    this.#remover.keepOnly(ids, unasked);
    // What is to be repaired may be gone from cold storage, and then nobody names it: its fetch finds out whether it is to be kept.
    for (const id of unasked) if (!this.repairs.has(id)) this.#unwant(id);
  }
}
