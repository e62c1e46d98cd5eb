import { type ColdStore } from '../../cold/cold-store.ts';
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
  readonly cold: ColdStore;
  /** Whether the segment's lease, as the store has it now, says that it was shredded. */
  readonly shredded: (segment: SegmentId, signal: AbortSignal) => Promise<boolean>;
  /** Whether every node that the segment is placed on has this very copy, read to its end. */
  readonly heldElsewhere: (segment: SegmentId, stopping: AbortSignal) => Promise<boolean>;
  /** True while a copy of it is being fetched. */
  readonly fetching: (segment: SegmentId) => boolean;
  readonly stopping: AbortSignal;
}

const STORE_DEADLINE_MS = 30_000;
const BATCH = 1_000;
/** Questions about single segments that are under way at a time. */
const PARALLEL = 8;
/** Copies whose files vanished from cold storage, in one batch: each is read on other nodes. */
const MOST_VANISHED = 50;

interface Unasked {
  /** When the placement was first seen not to name this node for it; undefined: not looked at yet, or named at the last look. */
  readonly freeSince: number | undefined;
  readonly lookAt: number;
}

/**
 * Takes copies away, in batches beside everything else. One that is no longer asked for goes when the placement in the store did not name this
 * node for it at two looks with the grace time in between, so that nobody goes by an older placement any more; and only while cold storage has
 * its file, or every node that it is placed on the very copy, or when it was shredded.
 */
export class CopyRemover {
  readonly #deps: CopyRemoverDeps;
  readonly #unasked = new Map<SegmentId, Unasked>();
  readonly #removing = new Map<SegmentId, Promise<unknown>>();
  /** What is not asked for now may be asked for soon. */
  #isHeld = false;
  /** Nothing is due before. */
  #nextLookAt = 0;
  #evicting: Promise<void> | undefined;

  constructor(deps: CopyRemoverDeps) {
    this.#deps = deps;
  }

  keep(id: SegmentId): void {
    this.#unasked.delete(id);
  }

  /** While further places are to come here, copies that are not asked for stay: a node that comes back gets its places again, some at a time. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** Nobody asks for it any more: whether it may go is looked at in turn. */
  unask(id: SegmentId): void {
    const now = this.#deps.clock.monotonic();
    if (!this.#unasked.has(id)) this.#unasked.set(id, { freeSince: undefined, lookAt: now });
    this.#nextLookAt = Math.min(this.#nextLookAt, now);
  }

  isUnasked(id: SegmentId): boolean {
    return this.#unasked.has(id);
  }

  isRemoving(id: SegmentId): boolean {
    return this.#removing.has(id);
  }

  /** `asked` is all that this node is to hold; `coming` may arrive all the same. */
  keepOnly(asked: ReadonlySet<string>, coming: Iterable<SegmentId>): void {
    const now = this.#deps.clock.monotonic();
    for (const ids of [this.#deps.inventory.ids(), coming]) {
      for (const id of ids)
        if (!asked.has(id) && !this.#unasked.has(id)) this.#unasked.set(id, { freeSince: undefined, lookAt: now });
    }
    for (const id of this.#unasked.keys()) if (asked.has(id)) this.#unasked.delete(id);
    this.#nextLookAt = now;
    this.tick();
  }

  /** Looks at the next batch of what is due, unless it still looks at one. */
  tick(): void {
    if (this.#evicting !== undefined || this.#isHeld || this.#deps.stopping.aborted) return;
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
  remove(ids: readonly SegmentId[]): Promise<void> {
    return this.#alone(ids, this.#remove(ids));
  }

  /** Moves a file away that has no record, unless it has got one. */
  setAside(id: SegmentId, to: string): Promise<void> {
    const { inventory, disk, paths } = this.#deps;
    if (inventory.held(id) !== undefined) return Promise.resolve();
    return this.#alone([id], disk.moveDatabase(paths.copy(id), to));
  }

  /** What is fetched meanwhile waits before it takes their place. */
  async #alone(ids: readonly SegmentId[], removal: Promise<void>): Promise<void> {
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

  #due(): [SegmentId, Unasked][] {
    const now = this.#deps.clock.monotonic();
    const due: [SegmentId, Unasked][] = [];
    if (now < this.#nextLookAt) return due;
    let nextLookAt = Infinity;
    for (const [id, unasked] of this.#unasked) {
      if (unasked.lookAt > now) nextLookAt = Math.min(nextLookAt, unasked.lookAt);
      else if (due.length === BATCH) return due;
      else if (this.#deps.fetching(id)) nextLookAt = now;
      else due.push([id, unasked]);
    }
    // What is being looked at comes again in a moment, or when its look was in vain.
    if (due.length === 0) this.#nextLookAt = nextLookAt;
    return due;
  }

  async #evict(due: readonly [SegmentId, Unasked][]): Promise<void> {
    const { clock, namedNow, fetching, stopping } = this.#deps;
    const named = await withDeadline(clock, STORE_DEADLINE_MS, namedNow, stopping);
    const now = clock.monotonic();
    const mayGo = await this.#mayGo(due, named, now);
    await this.#addHeldElsewhere(due, named, now, mayGo);
    stopping.throwIfAborted();
    const going: SegmentId[] = [];
    for (const [id, unasked] of due) {
      // What was asked for again while this was looked at stays.
      if (this.#unasked.get(id) !== unasked || fetching(id)) continue;
      if (mayGo.has(id)) {
        this.#unasked.delete(id);
        going.push(id);
      } else this.#lookAgain(id, unasked, named(id), now);
    }
    if (going.length > 0) await this.remove(going);
  }

  #lookAgain(id: SegmentId, { freeSince }: Unasked, isNamed: boolean, now: number): void {
    this.#unasked.delete(id);
    const lookAt = now + this.#deps.evictAfterMs;
    this.#nextLookAt = Math.min(this.#nextLookAt, lookAt);
    this.#unasked.set(id, { freeSince: isNamed ? undefined : (freeSince ?? now), lookAt });
  }

  async #mayGo(
    due: readonly [SegmentId, Unasked][],
    named: (segment: SegmentId) => boolean,
    now: number,
  ): Promise<Set<SegmentId>> {
    const { clock, stopping } = this.#deps;
    const asked = [...due];
    const mayGo = new Set<SegmentId>();
    const ask = async (signal: AbortSignal): Promise<void> => {
      for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
        const [id, unasked] = next;
        const isFree = this.#isFree(unasked, now) && !named(id);
        // One that the placement names and the leader does not ask for was shredded, or is not in the leader's catalogue.
        if (isFree || named(id)) if (await this.#isDispensable(id, named(id), signal)) mayGo.add(id);
      }
    };
    const all = (signal: AbortSignal): Promise<unknown> =>
      Promise.all(Array.from({ length: PARALLEL }, () => ask(signal)));
    await withDeadline(clock, STORE_DEADLINE_MS, all, stopping);
    return mayGo;
  }

  #isFree({ freeSince }: Unasked, now: number): boolean {
    return freeSince !== undefined && now - freeSince >= this.#deps.evictAfterMs;
  }

  /** Of what is left, those that cold storage lacks and that are where they belong; as many as can be read elsewhere in one turn. */
  async #addHeldElsewhere(
    due: readonly [SegmentId, Unasked][],
    named: (segment: SegmentId) => boolean,
    now: number,
    mayGo: Set<SegmentId>,
  ): Promise<void> {
    const { heldElsewhere, stopping } = this.#deps;
    const vanished = due.filter(([id, unasked]) => !mayGo.has(id) && !named(id) && this.#isFree(unasked, now));
    for (const [id] of vanished.slice(0, MOST_VANISHED)) if (await heldElsewhere(id, stopping)) mayGo.add(id);
  }

  /** A vanished file is no reason to give up what may be the last copies. */
  async #isDispensable(id: SegmentId, isNamed: boolean, signal: AbortSignal): Promise<boolean> {
    if (!isNamed && (await this.#deps.cold.stat(id, signal)) !== undefined) return true;
    return this.#deps.shredded(id, signal);
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
