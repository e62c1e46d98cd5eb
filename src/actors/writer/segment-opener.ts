import { type ColdStore, type Fetched } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { metadataLost } from '../../messages/cluster-view.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';
import { hasColdBase, highestVersion } from './cold-base.ts';

export interface SegmentOpenerDeps {
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly log: Log;
  /** While true, what lies here may be all there is of a segment, and nothing is moved away. */
  readonly mustKeep?: () => boolean;
}

export interface Prepared {
  /** The state in cold storage that the hot file starts from, when there is one. */
  readonly base: Published | undefined;
  readonly created: boolean;
}

/** Puts the hot file of a lease in place: kept from before a restart, fetched from cold storage, or left for the engine to make new. */
export class SegmentOpener {
  readonly #deps: SegmentOpenerDeps;

  constructor(deps: SegmentOpenerDeps) {
    this.#deps = deps;
  }

  /** For a lease that was granted now: whatever lies here under its name is from an older lease and is moved to lost+found. */
  async prepareGranted(id: SegmentId, lease: LeaseDocument, hasBase: boolean): Promise<Prepared> {
    await this.#setAside(id, lease.epoch);
    if (!hasBase) return { base: undefined, created: true };
    const base = await this.#fetchBase(id, lease);
    return { base, created: base === undefined };
  }

  /**
   * For a lease that this node held when it stopped. With unpublished writes its own file is the newest state there is; without any, what is
   * published is the whole truth, and what lies here may be of an older lease.
   */
  async prepareKept(id: SegmentId, lease: LeaseDocument): Promise<Prepared> {
    if (!lease.unpromoted) {
      await this.#deps.disk.removeDatabase(this.#deps.paths.hot(id));
      return this.prepareGranted(id, lease, await hasColdBase(this.#deps.cold, id, lease));
    }
    if (await this.#deps.disk.exists(this.#deps.paths.hot(id))) {
      return { base: await this.#known(id, lease), created: false };
    }
    throw new TroughError('SEGMENT_DAMAGED', `the file of '${id}' with its unpublished writes is gone from this node`, {
      segment: id,
    });
  }

  async #fetchBase(id: SegmentId, lease: LeaseDocument): Promise<Published | undefined> {
    const file = this.#deps.paths.hot(id);
    await this.#deps.disk.makeDirectoryOf(file);
    const fetched = await this.#fetch(id, file, lease);
    if (fetched === undefined) return undefined;
    try {
      await this.#deps.engine.verify(file);
    } catch (error) {
      await this.#deps.disk.removeDatabase(file);
      throw error;
    }
    return this.#describe(id, lease, fetched);
  }

  async #fetch(id: SegmentId, file: string, lease: LeaseDocument): Promise<Fetched | undefined> {
    try {
      return await this.#deps.cold.fetch(id, file, {});
    } catch (error) {
      if (TroughError.from(error).code !== 'COLD_MISSING' || lease.version !== null) throw error;
      return undefined;
    }
  }

  /** Somebody else may have put a newer file there since the lease was given up: then it is a version of its own. */
  async #describe(id: SegmentId, lease: LeaseDocument, fetched: Fetched): Promise<Published> {
    const { sha256, sizeBytes, modifiedMs } = fetched;
    const known = lease.version !== null && lease.sha256 === sha256;
    const version = known && lease.version !== null ? lease.version : nextVersion(highestVersion(lease), modifiedMs);
    const path = (await this.#deps.cold.stat(id))?.path ?? '';
    return { version, sha256, sizeBytes, modifiedMs, path };
  }

  async #known(id: SegmentId, lease: LeaseDocument): Promise<Published | undefined> {
    const { version, sha256, sizeBytes } = lease;
    if (version === null || sha256 === null || sizeBytes === null) return undefined;
    const file = await this.#deps.cold.stat(id);
    if (file === undefined) return undefined;
    return { version, sha256, sizeBytes, path: file.path, modifiedMs: file.modifiedMs };
  }

  async #setAside(id: SegmentId, epoch: number): Promise<void> {
    const hot = this.#deps.paths.hot(id);
    if (!(await this.#deps.disk.exists(hot))) return;
    if (this.#deps.mustKeep?.() === true) throw metadataLost();
    await this.#deps.disk.removeDatabase(this.#deps.paths.hotNote(id));
    const label = `hot-${String(epoch)}-${String(this.#deps.clock.now())}`;
    const aside = this.#deps.paths.lost(id, label);
    await this.#deps.disk.moveDatabase(hot, aside);
    this.#deps.log.warn({ segment: id, aside }, 'a file of an older lease was moved to lost+found');
  }
}
