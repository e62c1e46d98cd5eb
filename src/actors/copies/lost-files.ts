import { basename, join } from 'node:path';
import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type LostAnswer, type LostFile } from '../../messages/copy-report.ts';
import { type DataPaths } from '../../model/paths.ts';
import { isSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type Inventory } from './inventory.ts';

export interface LostFilesDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly cold: ColdStore;
  readonly inventory: Inventory;
  /** How long they are kept, ms; 0: for ever. */
  readonly keepMs: number;
  /** Whether the segment's lease, as the store has it now, says that it was shredded. */
  readonly shredded: (segment: SegmentId, signal: AbortSignal) => Promise<boolean>;
}

/** `<found, ms since 1970>.<name>` */
const NAME = /^(\d{1,15})\.(.+)$/;
const MOST_LISTED = 1_000;

/**
 * Files beside the copies that nobody asked for, in `lost+found/copies`: listed, and deleted after a time. What the placement names, or what may
 * be all there is of a segment, is never deleted. What lies in `lost+found` itself may hold writes that are nowhere else: it is listed only.
 */
export class LostFiles {
  readonly #deps: LostFilesDeps;
  #count = 0;

  constructor(deps: LostFilesDeps) {
    this.#deps = deps;
  }

  /** As of the last look. */
  get count(): number {
    return this.#count;
  }

  /** Where a file goes that is found now. */
  placeFor(file: string): string {
    return join(this.#deps.paths.lostCopiesDir, `${String(this.#deps.clock.now())}.${basename(file)}`);
  }

  async look(): Promise<void> {
    this.#count = (await this.#kept()).length + (await this.#found()).length;
  }

  /** The oldest first. */
  async list(): Promise<LostAnswer> {
    const { disk, keepMs, paths } = this.#deps;
    const found = (await this.#found()).sort((a, b) => a.foundMs - b.foundMs);
    const all = [
      ...found.map(({ file, foundMs }) => ({ file, foundMs, goesMs: keepMs === 0 ? null : foundMs + keepMs })),
      ...(await this.#kept()).map((file) => ({ file, foundMs: null, goesMs: null })),
    ];
    const files: LostFile[] = [];
    for (const { file, ...times } of all.slice(0, MOST_LISTED)) {
      const sizeBytes = await disk.size(file);
      if (sizeBytes !== undefined) files.push({ file: file.slice(paths.lostDir.length + 1), sizeBytes, ...times });
    }
    return { files, more: Math.max(0, all.length - MOST_LISTED) };
  }

  /** `named`: what the placement in the store names this node for, as it was read a moment ago. */
  async removeOld(named: (segment: SegmentId) => boolean, signal: AbortSignal): Promise<void> {
    const { clock, keepMs, disk, log } = this.#deps;
    if (keepMs === 0) return;
    for (const { file, foundMs, name } of await this.#found()) {
      signal.throwIfAborted();
      if (clock.now() - foundMs < keepMs || !(await this.#mayGo(name, named, signal))) continue;
      await disk.removeDatabase(file);
      log.info({ actor: 'copy-survey', file }, 'a file that nobody asked for was deleted from lost+found');
    }
    await this.look();
  }

  async #mayGo(name: string, named: (segment: SegmentId) => boolean, signal: AbortSignal): Promise<boolean> {
    const { inventory, cold, shredded } = this.#deps;
    const id = name.endsWith('.sqlite') ? name.slice(0, -'.sqlite'.length) : name;
    // No file of ours, or a sound copy is here.
    if (id === name || !isSegmentId(id) || inventory.held(id) !== undefined) return true;
    try {
      if (!named(id) && (await cold.stat(id, signal)) !== undefined) return true;
      return await shredded(id, signal);
    } catch (error) {
      const fields = { actor: 'copy-survey', segment: id, err: TroughError.from(error) };
      this.#deps.log.debug(fields, 'whether a file in lost+found may go could not be found out');
      return false;
    }
  }

  async #found(): Promise<{ file: string; foundMs: number; name: string }[]> {
    const { disk, paths } = this.#deps;
    const entries = await disk.list(paths.lostCopiesDir);
    return entries
      .filter(({ isDirectory }) => !isDirectory)
      .map(({ name }) => ({ file: join(paths.lostCopiesDir, name), match: NAME.exec(name) }))
      .filter((entry): entry is { file: string; match: RegExpExecArray } => entry.match !== null)
      .map(({ file, match: [, foundMs, name = ''] }) => ({ file, foundMs: Number(foundMs), name }));
  }

  /** What was kept for a person to look at. */
  async #kept(): Promise<string[]> {
    const { disk, paths } = this.#deps;
    const entries = await disk.list(paths.lostDir);
    return entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => join(paths.lostDir, name));
  }
}
