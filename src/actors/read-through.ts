import { type ColdStore } from '../cold/cold-store.ts';
import { type Disk } from '../disk/disk.ts';
import { type Engine } from '../engine/engine.ts';
import { type CopyFiles, type LocalCopy } from '../messages/local-files.ts';
import { type DataPaths } from '../model/paths.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type Clock } from '../runtime/clock.ts';
import { KeyedTasks } from '../runtime/keyed-tasks.ts';

export interface ReadThroughDeps {
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly engine: Engine;
  readonly paths: DataPaths;
  readonly clock: Clock;
  /** Most bytes kept; the file in use may exceed it alone. */
  readonly limitBytes: number;
  /** A file is taken for current for so long without asking cold storage again, ms. */
  readonly freshMs: number;
}

interface Cached extends LocalCopy {
  /** As cold storage says it; the version may be higher where a clock went back. */
  readonly modifiedMs: number;
  checkedAt: number;
}

/** Files fetched from cold storage because somebody asked for them here: bounded, least recently used goes first, empty after a restart. */
export class ReadThrough implements CopyFiles {
  readonly #deps: ReadThroughDeps;
  readonly #tasks = new KeyedTasks({ parallel: 4, waiting: 1_000 });
  readonly #files = new Map<SegmentId, Cached>();
  #bytes = 0;
  #made = 0;

  constructor(deps: ReadThroughDeps) {
    this.#deps = deps;
  }

  /** The file of a version at least `minVersion`. COLD_MISSING when cold storage does not have the segment. */
  async ensure(id: SegmentId, minVersion: number, signal: AbortSignal): Promise<LocalCopy> {
    return this.#fresh(id, minVersion) ?? (await this.#tasks.run(id, () => this.#fetch(id, minVersion, signal)));
  }

  /** The file that is here now, however old; looking does not count as use. */
  copy(id: SegmentId): LocalCopy | undefined {
    return this.#files.get(id);
  }

  async drop(id: SegmentId): Promise<void> {
    const cached = this.#files.get(id);
    if (cached === undefined) return;
    this.#files.delete(id);
    this.#bytes -= cached.sizeBytes;
    // A query that runs on it has it open and ends in peace.
    await this.#deps.disk.removeDatabase(cached.file);
  }

  #fresh(id: SegmentId, minVersion: number): Cached | undefined {
    const cached = this.#files.get(id);
    if (cached === undefined || cached.version < minVersion) return undefined;
    if (this.#deps.clock.monotonic() - cached.checkedAt > this.#deps.freshMs) return undefined;
    this.#files.delete(id);
    this.#files.set(id, cached);
    return cached;
  }

  async #fetch(id: SegmentId, minVersion: number, signal: AbortSignal): Promise<LocalCopy> {
    const fresh = this.#fresh(id, minVersion);
    if (fresh !== undefined) return fresh;
    const checkedAt = this.#deps.clock.monotonic();
    const unchanged = await this.#unchanged(id, minVersion, checkedAt, signal);
    if (unchanged !== undefined) return unchanged;
    this.#made += 1;
    const temporary = this.#deps.paths.temporary(id, `read-${String(this.#made)}`);
    try {
      const fetched = await this.#deps.cold.fetch(id, temporary, {}, signal);
      await this.#deps.engine.verify(temporary, signal);
      const version = Math.max(fetched.modifiedMs, minVersion);
      const file = this.#deps.paths.cached(id, version);
      await this.drop(id);
      await this.#deps.disk.moveDatabase(temporary, file);
      const { sizeBytes, modifiedMs } = fetched;
      const cached: Cached = { file, version, sizeBytes, modifiedMs, checkedAt };
      this.#files.set(id, cached);
      this.#bytes += cached.sizeBytes;
      await this.#makeRoom(id);
      return cached;
    } finally {
      await this.#deps.disk.removeDatabase(temporary);
    }
  }

  async #unchanged(id: SegmentId, minVersion: number, now: number, signal: AbortSignal): Promise<Cached | undefined> {
    const cached = this.#files.get(id);
    if (cached === undefined || cached.version < minVersion) return undefined;
    const file = await this.#deps.cold.stat(id, signal);
    if (file?.modifiedMs !== cached.modifiedMs || file.sizeBytes !== cached.sizeBytes) return undefined;
    cached.checkedAt = now;
    return cached;
  }

  async #makeRoom(keep: SegmentId): Promise<void> {
    for (const id of this.#files.keys()) {
      if (this.#bytes <= this.#deps.limitBytes) return;
      if (id !== keep) await this.drop(id);
    }
  }
}
