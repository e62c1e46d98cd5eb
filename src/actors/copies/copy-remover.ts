import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type Inventory } from './inventory.ts';

export interface CopyRemoverDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly inventory: Inventory;
  /** How long a copy that is no longer asked for stays, ms. */
  readonly evictAfterMs: number;
  /** Reads the placement from the store now; the answer says whether that names this node for a segment. */
  readonly namedNow: (signal: AbortSignal) => Promise<(segment: SegmentId) => boolean>;
  /** True while a copy of it is being fetched. */
  readonly fetching: (segment: SegmentId) => boolean;
  readonly stopping: AbortSignal;
}

const STORE_DEADLINE_MS = 30_000;
const BATCH = 1_000;

/**
 * Takes copies away. Those that are no longer asked for go after their grace time, in batches beside everything else,
 * and only when the placement in the store agrees.
 */
export class CopyRemover {
  readonly #deps: CopyRemoverDeps;
  /** Since when each was no longer asked for; the longest first. */
  readonly #unasked = new Map<SegmentId, number>();
  readonly #removing = new Map<SegmentId, Promise<unknown>>();
  #evicting: Promise<void> | undefined;

  constructor(deps: CopyRemoverDeps) {
    this.#deps = deps;
  }

  keep(id: SegmentId): void {
    this.#unasked.delete(id);
  }

  /** `asked` is all that this node is to hold. */
  keepOnly(asked: ReadonlySet<string>): void {
    const now = this.#deps.clock.monotonic();
    for (const id of this.#deps.inventory.ids()) {
      if (!asked.has(id) && !this.#unasked.has(id)) this.#unasked.set(id, now);
    }
    for (const id of this.#unasked.keys()) if (asked.has(id)) this.#unasked.delete(id);
  }

  /** Evicts the next batch of what is due, unless one is still under way. */
  tick(): void {
    if (this.#evicting !== undefined || this.#deps.stopping.aborted) return;
    const due = this.#due();
    if (due.length === 0) return;
    this.#evicting = this.#evict(due)
      .catch((error: unknown) => {
        if (this.#deps.stopping.aborted) return;
        const fields = { actor: 'copier', err: TroughError.from(error), segments: due.length };
        this.#deps.log.warn(fields, 'copies that are no longer asked for could not be removed and are tried again');
      })
      .finally(() => {
        this.#evicting = undefined;
      });
  }

  /** The records in one transaction, then the files. Rejects with the first failure, after all were tried. */
  async remove(ids: readonly SegmentId[]): Promise<void> {
    const removal = this.#remove(ids);
    const ended = removal.catch(() => undefined);
    for (const id of ids) this.#removing.set(id, ended);
    try {
      await removal;
    } finally {
      for (const id of ids) if (this.#removing.get(id) === ended) this.#removing.delete(id);
    }
  }

  /** Resolves when the file of an earlier copy is not about to be removed: what is fetched then stays. */
  async removed(id: SegmentId): Promise<void> {
    while (this.#removing.has(id)) await this.#removing.get(id);
  }

  async idle(): Promise<void> {
    await this.#evicting;
  }

  #due(): [SegmentId, number][] {
    const now = this.#deps.clock.monotonic();
    const due: [SegmentId, number][] = [];
    for (const [id, since] of this.#unasked) {
      if (now - since < this.#deps.evictAfterMs || due.length === BATCH) break;
      if (!this.#deps.fetching(id)) due.push([id, since]);
    }
    return due;
  }

  async #evict(due: readonly [SegmentId, number][]): Promise<void> {
    const { clock, namedNow, fetching, stopping } = this.#deps;
    const named = await withDeadline(clock, STORE_DEADLINE_MS, namedNow, stopping);
    stopping.throwIfAborted();
    // What was asked for again while the store was read stays.
    const still = due.filter(([id, since]) => this.#unasked.get(id) === since && !fetching(id)).map(([id]) => id);
    const going = still.filter((id) => !named(id));
    for (const id of still) this.#unasked.delete(id);
    if (going.length > 0) await this.remove(going);
  }

  async #remove(ids: readonly SegmentId[]): Promise<void> {
    const { inventory, disk, paths } = this.#deps;
    await inventory.remove(ids);
    const failures: unknown[] = [];
    for (const id of ids) {
      try {
        await disk.removeDatabase(paths.copy(id));
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      const first = TroughError.from(failures[0]);
      throw new TroughError(first.code, `${String(failures.length)} files of copies could not be removed`, {}, first);
    }
  }
}
