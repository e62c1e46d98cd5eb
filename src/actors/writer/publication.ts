import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type PublishedState } from '../../messages/journal-record.ts';
import { type Published } from '../../messages/node-messages.ts';
import { appliedMark } from '../../model/applied-mark.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { nextVersion } from '../../model/version.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type GroupCommit } from './group-commit.ts';
import { type HeldLease } from './held-lease.ts';
import { type SegmentChain } from './segment-chain.ts';

export interface PublicationDeps {
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
}

/** The segment's place in the journal. */
export interface JournalPlace {
  readonly chain: SegmentChain;
  /** The user's own value of the header field that the marks are in. */
  readonly applicationId: number;
}

const INTENT_DEADLINE_MS = 60_000;

/**
 * Puts a state of the segment into cold storage while writes go on. With a journal the state is named there between its upload and the moment
 * that it replaces the old one: so whoever takes the segment over knows both files that it may find, and a holder that was overtaken replaces nothing.
 */
export class Publication {
  readonly #deps: PublicationDeps;
  readonly #segment: {
    readonly id: SegmentId;
    readonly lease: HeldLease;
    readonly writes: GroupCommit;
    readonly place: JournalPlace | undefined;
  };
  #highestVersion: number;

  constructor(
    deps: PublicationDeps,
    segment: { id: SegmentId; lease: HeldLease; writes: GroupCommit; place: JournalPlace | undefined },
    highestVersion: number,
  ) {
    this.#deps = deps;
    this.#segment = segment;
    this.#highestVersion = highestVersion;
  }

  /** `committed`: the sequence of the last commit; the snapshot has that and perhaps more. */
  async publish(committed: number): Promise<{ readonly published: Published; readonly applied: number }> {
    const { paths, disk } = this.#deps;
    const { id, lease, writes, place } = this.#segment;
    const file = paths.temporary(id, `${String(lease.epoch)}-${String(writes.commits)}`);
    await disk.makeDirectoryOf(file);
    try {
      const snapshot = await writes.session.snapshot(
        file,
        place === undefined ? {} : { applicationId: place.applicationId },
      );
      if (place === undefined) return { published: await this.#publishAlone(file, snapshot), applied: 0 };
      const applied = committed + ((snapshot.applied - appliedMark(committed)) >>> 0);
      return { published: await this.#publishNamed(file, { ...snapshot, applied }, place), applied };
    } finally {
      await disk.removeDatabase(file);
    }
  }

  async #publishAlone(file: string, { sizeBytes, sha256 }: Snapshot): Promise<Published> {
    const { id, lease } = this.#segment;
    await lease.assertHeld();
    const { path, modifiedMs } = await this.#deps.cold.publish(id, file, sha256);
    return { version: nextVersion(lease.highestVersion, modifiedMs), sizeBytes, sha256, path, modifiedMs };
  }

  async #publishNamed(file: string, snapshot: Snapshot & { applied: number }, place: JournalPlace): Promise<Published> {
    const { id, lease, writes } = this.#segment;
    const { sizeBytes, sha256, applied } = snapshot;
    // A listing of cold storage may have named the file that stands there by its time, and copies go by that.
    const listed = Math.floor((await this.#deps.cold.stat(id))?.modifiedMs ?? 0);
    const above = Math.max(this.#highestVersion, lease.highestVersion, listed);
    const version = nextVersion(above, this.#deps.clock.now());
    this.#highestVersion = version;
    const state: PublishedState = { applied, sha256, sizeBytes, version };
    const { path, modifiedMs } = await this.#deps.cold.publish(id, file, sha256, undefined, async () => {
      await writes.append(place.chain, { kind: 'intent', state, adopted: false }, INTENT_DEADLINE_MS);
    });
    return { version, sizeBytes, sha256, path, modifiedMs };
  }
}

interface Snapshot {
  readonly sizeBytes: number;
  readonly sha256: string;
}
