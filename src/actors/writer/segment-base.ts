import { type ColdStore, type Fetched } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type Creation, type PublishedState } from '../../messages/journal-record.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { nextVersion } from '../../model/version.ts';
import { type ChainSurvey } from './chain-survey.ts';
import { highestVersion } from './cold-base.ts';
import { type SegmentChain } from './segment-chain.ts';

export interface SegmentBaseDeps {
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
}

/** What is known of a segment once it is claimed. */
export interface Claimed {
  readonly chain: SegmentChain;
  readonly survey: ChainSurvey;
  /** Makes the segment when nothing of it is anywhere. */
  readonly creation: Creation;
  /** False: what cold storage has of it is not to be gone on from. */
  readonly hasBase: boolean;
}

/** Where a replay starts. */
export interface Base {
  readonly session: WriteSession;
  /** The file has everything up to this sequence. */
  readonly sequence: number;
  readonly published: Published | undefined;
  readonly created: boolean;
}

/** Makes the hot file of a claimed segment anew: from the state in cold storage that its journal names, else from its schema. There must be no such file. */
export class SegmentBase {
  readonly #deps: SegmentBaseDeps;

  constructor(deps: SegmentBaseDeps) {
    this.#deps = deps;
  }

  /** COLD_CHANGED: the file in cold storage is none of ours, and writes stand on another. COLD_MISSING: what they stand on is gone. */
  async make(id: SegmentId, lease: LeaseDocument, claimed: Claimed): Promise<Base> {
    const { survey, hasBase } = claimed;
    const file = this.#deps.paths.hot(id);
    await this.#deps.disk.makeDirectoryOf(file);
    const neverPublished = survey.creation !== undefined && survey.states.length === 0 && survey.lastData > 0;
    const fetched = hasBase && !neverPublished ? await this.#fetch(id, file) : undefined;
    if (fetched === undefined) return this.#fromSchema(id, lease, claimed);
    try {
      await this.#deps.engine.verify(file);
      const { sequence, published } = await this.#place(id, lease, claimed, fetched);
      const session = await this.#deps.engine.openWriter({ segment: id, file, isJournaled: true });
      return { session, sequence, published, created: false };
    } catch (error) {
      await this.#deps.disk.removeDatabase(file);
      throw error;
    }
  }

  async #fetch(id: SegmentId, file: string): Promise<Fetched | undefined> {
    try {
      return await this.#deps.cold.fetch(id, file, {});
    } catch (error) {
      if (TroughError.from(error).code === 'COLD_MISSING') return undefined;
      throw error;
    }
  }

  /** Which state of the chain a file from cold storage is; one that nobody knows is gone on from when no writes stand on another. */
  async #place(
    id: SegmentId,
    lease: LeaseDocument,
    { chain, survey }: Claimed,
    { sha256, sizeBytes, modifiedMs }: Fetched,
  ): Promise<{ readonly sequence: number; readonly published: Published }> {
    const path = (await this.#deps.cold.stat(id))?.path ?? '';
    const state = survey.hasOpenData ? survey.states.find((known) => known.sha256 === sha256) : undefined;
    if (state !== undefined) {
      if (!survey.follows(state.applied)) throw gap(id, state.applied);
      return { sequence: state.applied, published: { version: state.version, sha256, sizeBytes, path, modifiedMs } };
    }
    if (survey.hasOpenData) throw foreign(id, sha256);
    const version = versionOf(lease, survey.states, sha256, modifiedMs);
    const adopted = { applied: chain.last, sha256, sizeBytes, version };
    await chain.append({ kind: 'intent', state: adopted, adopted: true });
    return { sequence: chain.last, published: { version, sha256, sizeBytes, path, modifiedMs } };
  }

  async #fromSchema(
    id: SegmentId,
    lease: LeaseDocument,
    { chain, survey, creation: wanted, hasBase }: Claimed,
  ): Promise<Base> {
    const known = survey.creation;
    if (known === undefined && (survey.lastData > 0 || (hasBase && lease.version !== null))) {
      throw new TroughError('COLD_MISSING', `'${id}' was published but is gone from cold storage; put its file back`, {
        segment: id,
      });
    }
    // Nothing stands on an unused beginning, so the schema that is asked for now counts.
    const kept = known !== undefined && (survey.lastData > 0 || known.creation.schema === wanted.schema);
    const { timeMs, seed, sql } = kept ? known.creation : wanted;
    if (!kept) await chain.append({ kind: 'claim', ...chain.deps.self, creation: wanted });
    const file = this.#deps.paths.hot(id);
    const schemaStamp = { timeMs, seed };
    const sequence = kept ? known.sequence : chain.last;
    const how = { schemaSql: sql, schemaStamp, isJournaled: true, mark: sequence };
    const session = await this.#deps.engine.openWriter({ segment: id, file, ...how });
    return { session, sequence, published: undefined, created: true };
  }
}

/** The same content keeps its version; another file that was put there is a version of its own. */
function versionOf(
  lease: LeaseDocument,
  states: readonly PublishedState[],
  sha256: string,
  modifiedMs: number,
): number {
  const known = states.find((state) => state.sha256 === sha256)?.version;
  if (known !== undefined) return known;
  if (lease.version !== null && lease.sha256 === sha256) return lease.version;
  return nextVersion(Math.max(highestVersion(lease), ...states.map(({ version }) => version)), modifiedMs);
}

function foreign(id: SegmentId, sha256: string): TroughError {
  const message =
    `the file of '${id}' in cold storage was put there by somebody else while the segment was being written; ` +
    'nothing is written over: move that file away and put back the one that trough published, or shred the segment';
  return new TroughError('COLD_CHANGED', message, { segment: id, sha256 });
}

function gap(id: SegmentId, sequence: number): TroughError {
  const message = `the journal of '${id}' does not go back to ${String(sequence)}, the state in cold storage`;
  return new TroughError('JOURNAL_LOST', message, { segment: id, sequence });
}
