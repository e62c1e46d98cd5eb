import { basename, dirname, join } from 'node:path';
import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type FoundBy } from '../../messages/copy-report.ts';
import { type DataPaths } from '../../model/paths.ts';
import { isSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { slotName, slotOf } from '../../model/slot.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { pause } from '../../runtime/pause.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { type Inventory } from './inventory.ts';
import { walkInventory } from './inventory-walk.ts';
import { type LostFiles } from './lost-files.ts';

export interface CopySurveyMessage {
  readonly kind: 'tick';
}

export type CopySurveyNews =
  | { readonly kind: 'damaged'; readonly segment: SegmentId; readonly version: number; readonly foundBy: FoundBy }
  | { readonly kind: 'unrecorded'; readonly segment: SegmentId; readonly aside: string };

export interface CopySurveyDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly inventory: Inventory;
  readonly lost: LostFiles;
  /** Pause between two looks, ms. */
  readonly intervalMs: number;
  /** Reads the placement from the store now; the answer says whether that names this node for a segment. */
  readonly namedNow: (signal: AbortSignal) => Promise<(segment: SegmentId) => boolean>;
  /** Its file may be another in a moment. */
  readonly isBusy: (id: SegmentId) => boolean;
  /** Moves the file of a segment away, in turn with what is fetched of it. */
  readonly setAside: (id: SegmentId, to: string) => Promise<void>;
  readonly emit: Emit<CopySurveyNews>;
}

const STORE_DEADLINE_MS = 30_000;
/** A placement that was read so long ago is read again, ms. */
const NAMED_FOR_MS = 5_000;
/** A look takes about this share of the pause between two: it is in no hurry. */
const SHARE = 0.1;

/** A file where copies are and that none of them is. `segment`: of which it has the name and the place. */
interface Stranger {
  readonly file: string;
  readonly segment: SegmentId | undefined;
}

/**
 * Looks now and then at what is really there: by the names in the directories of the slots, since a look at each of a million files would be
 * noticed. A copy whose file is gone is replaced, a file that nobody asked for goes to lost+found. Of one in a slot that the placement gives to
 * this node the copier finds out whether anybody knows it.
 */
export class CopySurvey implements Actor<CopySurveyMessage> {
  readonly name = 'copy-survey';
  readonly #deps: CopySurveyDeps;
  readonly #stopping = new AbortController();
  #looking: Promise<void> | undefined;
  #nextLookAt: number;
  #named: { readonly by: (segment: SegmentId) => boolean; readonly at: number } | undefined;

  constructor(deps: CopySurveyDeps) {
    this.#deps = deps;
    this.#nextLookAt = deps.clock.monotonic() + deps.intervalMs * SHARE;
  }

  receive(): void {
    const { clock, intervalMs, log } = this.#deps;
    if (this.#looking !== undefined || clock.monotonic() < this.#nextLookAt) return;
    this.#looking = this.#look()
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        const err = TroughError.from(error);
        log.warn({ actor: this.name, err }, 'the files of the copies could not be looked through; it is tried again');
      })
      .finally(() => {
        this.#looking = undefined;
        this.#nextLookAt = clock.monotonic() + intervalMs;
      });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { lost } = this.#deps;
    const { signal } = this.#stopping;
    const expected = await this.#countBySlot();
    const doubtful = new Set(expected.keys());
    for (const [slot, names] of await this.#directories()) {
      signal.throwIfAborted();
      const { recorded, strangers } = this.#sort(slot, await names());
      if (recorded === (expected.get(slot) ?? 0)) doubtful.delete(slot);
      for (const stranger of strangers) await this.#settle(stranger);
    }
    await this.#findMissing(doubtful);
    await lost.look();
    if (lost.count > 0) await lost.removeOld(await this.#namedBy(), signal);
  }

  async #namedBy(): Promise<(segment: SegmentId) => boolean> {
    const { clock, namedNow } = this.#deps;
    const at = clock.monotonic();
    if (this.#named === undefined || at - this.#named.at > NAMED_FOR_MS) {
      const by = await withDeadline(clock, STORE_DEADLINE_MS, namedNow, this.#stopping.signal);
      this.#named = { by, at };
    }
    return this.#named.by;
  }

  async #countBySlot(): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    for await (const id of walkInventory(this.#deps, this.#stopping.signal)) {
      const slot = slotName(slotOf(id));
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
    return counts;
  }

  /** What is in each directory, asked for when its turn has come. The files that lie beside them come under the name `''`. */
  async #directories(): Promise<[slot: string, names: () => Promise<readonly string[]>][]> {
    const { disk, paths, clock, intervalMs } = this.#deps;
    const entries = await disk.list(paths.copiesDir);
    const restMs = (intervalMs * SHARE) / Math.max(1, entries.length);
    const beside = entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
    const namesIn = (slot: string) => async (): Promise<readonly string[]> => {
      await pause(clock, restMs, this.#stopping.signal);
      const found = await disk.list(join(paths.copiesDir, slot));
      return found.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name);
    };
    return [
      ['', () => Promise.resolve(beside)],
      ...entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => [name, namesIn(name)] as const),
    ] as [string, () => Promise<readonly string[]>][];
  }

  #sort(slot: string, names: readonly string[]): { recorded: number; strangers: Stranger[] } {
    const { paths, inventory } = this.#deps;
    const strangers: Stranger[] = [];
    let recorded = 0;
    for (const name of names) {
      const file = join(paths.copiesDir, slot, name);
      const id = name.slice(0, -'.sqlite'.length);
      const segment = isSegmentId(id) && paths.copy(id) === file ? id : undefined;
      if (segment !== undefined && inventory.held(segment) !== undefined) recorded += 1;
      else strangers.push({ file, segment });
    }
    return { recorded, strangers };
  }

  async #findMissing(slots: ReadonlySet<string>): Promise<void> {
    const { disk, paths, inventory, isBusy, emit } = this.#deps;
    if (slots.size === 0) return;
    for await (const id of walkInventory(this.#deps, this.#stopping.signal)) {
      if (!slots.has(slotName(slotOf(id)))) continue;
      if (isBusy(id) || (await disk.exists(paths.copy(id))) || isBusy(id)) continue;
      const record = inventory.held(id);
      if (record !== undefined) emit({ kind: 'damaged', segment: id, version: record.version, foundBy: 'look' });
    }
  }

  async #settle({ file, segment }: Stranger): Promise<void> {
    const { disk, lost, inventory, isBusy, setAside, emit, log } = this.#deps;
    this.#stopping.signal.throwIfAborted();
    const to = lost.placeFor(file);
    if (segment === undefined) {
      // What SQLite keeps beside a database went with it.
      if (!(await disk.exists(file))) return;
      await disk.moveDatabase(file, to);
    } else {
      const isNamed = (await this.#namedBy())(segment);
      if (isBusy(segment) || inventory.held(segment) !== undefined || !(await disk.exists(file))) return;
      if (isNamed) {
        emit({ kind: 'unrecorded', segment, aside: to });
        return;
      }
      await setAside(segment, to);
    }
    const fields = { actor: this.name, file: join(basename(dirname(file)), basename(file)), to };
    log.warn(fields, 'a file that nobody asked for was moved to lost+found');
  }
}
