import { type ColdStore } from '../../cold/cold-store.ts';
import { type Disk } from '../../disk/disk.ts';
import { type Engine, type WriteSession } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Journal } from '../../journal/journal.ts';
import { type Log } from '../../log.ts';
import { metadataLost } from '../../messages/cluster-view.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type Creation } from '../../messages/journal-record.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type DataPaths } from '../../model/paths.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type Clock } from '../../runtime/clock.ts';
import { ownValue, replayBehind } from './chain-replay.ts';
import { ChainSurvey, type KnownAnswer } from './chain-survey.ts';
import { hasColdBase } from './cold-base.ts';
import { HotNotes } from './hot-note.ts';
import { type Base, SegmentBase } from './segment-base.ts';
import { SegmentChain } from './segment-chain.ts';

export interface JournaledOpenerDeps {
  readonly engine: Engine;
  readonly cold: ColdStore;
  readonly disk: Disk;
  readonly paths: DataPaths;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal?: Journal;
  readonly self: { readonly node: string; readonly session: string };
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  /** While true, what lies here may be all there is of a segment, and nothing is moved away. */
  readonly mustKeep?: () => boolean;
}

/** A stream, as long as it was not lost and made anew. */
export interface JournalPlace {
  readonly stream: string;
  readonly incarnation: string;
}

/** What was read there when a segment's file was made here for whoever opens it. */
export interface EarlierSurveys {
  takeSurvey(id: SegmentId, at: JournalPlace): ChainSurvey | undefined;
}

/** A segment that is claimed, and whose hot file has everything that its journal has. */
export interface OpenedSegment {
  readonly session: WriteSession;
  readonly chain: SegmentChain;
  readonly incarnation: string;
  /** The user's own value of the header field that the marks are in. */
  readonly applicationId: number;
  /** The state in cold storage, as far as it was looked at. */
  readonly published: Published | undefined;
  readonly created: boolean;
  /** Of all states that were meant to be published; 0: there is none. */
  readonly highestVersion: number;
  /** The journal has writes that the state in cold storage may not have. */
  readonly hasUnpublished: boolean;
  readonly answers: readonly KnownAnswer[];
  /** The file has everything up to this sequence, and its mark. */
  readonly applied: number;
  /** Of the writes that whoever opens it next has to read. */
  readonly backlogBytes: number;
}

/** Of the lease that is the first for its segment. */
const FIRST_EPOCH = 1;

/**
 * Every open of a segment is a take-over: claim the journal, so that nobody else can go on; then find what the file here, or cold storage, has of
 * it; then run the rest.
 */
export class JournaledOpener {
  readonly #deps: JournaledOpenerDeps;
  readonly #notes: HotNotes;
  readonly #base: SegmentBase;
  readonly #earlier: EarlierSurveys;

  constructor(deps: JournaledOpenerDeps, earlier: EarlierSurveys) {
    this.#deps = deps;
    this.#earlier = earlier;
    this.#notes = new HotNotes(deps);
    this.#base = new SegmentBase(deps);
  }

  /**
   * JOURNAL_FENCED with `epoch` in its context: the journal has a claim of that epoch, which is not lower than the lease's. JOURNAL_LOST: writes
   * were acknowledged that no journal has any more. The errors of `SegmentBase`, of a replay and of the ports.
   */
  async open(
    id: SegmentId,
    lease: LeaseDocument,
    from: { readonly schemaSql: string; readonly hasBase: boolean },
  ): Promise<OpenedSegment> {
    const { clock, seed } = this.#deps;
    const journal = this.#journalFor(id);
    const stream = lease.stream ?? journal.pickStream(id);
    const { incarnation } = await journal.state(stream);
    if (lease.unpromoted && lease.incarnation !== null && lease.incarnation !== incarnation) throw lost(id, stream);
    const creation = { schema: lease.schema, sql: from.schemaSql, timeMs: Math.trunc(clock.now()), seed: seed() };
    const hasBase = from.hasBase && (await hasColdBase(this.#deps.cold, id, lease));
    const chain = await SegmentChain.claim(
      { ...this.#deps, journal, key: { stream, name: id }, epoch: lease.epoch },
      { creation: hasBase ? undefined : creation, isNew: lease.epoch === FIRST_EPOCH && !from.hasBase },
    );
    const local = await this.#local(id, stream, incarnation);
    try {
      const survey = await this.#survey(id, chain, local?.mark, { stream, incarnation });
      // The missing upload is what keeps an overtaken holder from replacing what is found in cold storage now.
      if (!survey.isOwnSuccessor) await this.#deps.cold.discardUploads(id);
      const sequence = local === undefined ? undefined : survey.marked;
      const base =
        local !== undefined && sequence !== undefined
          ? { session: local.session, sequence, published: await this.#known(id, lease), created: false }
          : await this.#anew(id, lease, { chain, survey, creation, hasBase, local });
      const applicationId =
        local === undefined || sequence === undefined ? await ownValue(base.session) : local.applicationId;
      return await this.#finish(id, base, {
        ...{ chain, survey, stream, incarnation, applicationId },
        isNoted: sequence !== undefined,
      });
    } catch (error) {
      await local?.session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of all records, or of those that came since the file was made, as long as nothing speaks against that: a hand-over waits for this. */
  async #survey(id: SegmentId, chain: SegmentChain, mark: number | undefined, at: JournalPlace): Promise<ChainSurvey> {
    const earlier = this.#earlier.takeSurvey(id, at);
    // Where the file turns out to be of no use, it is to be known how far back the records go now.
    if (earlier?.isFor(mark) === true && (await earlier.goOn(chain)) && earlier.isFor(mark)) return earlier;
    return ChainSurvey.of(chain, mark);
  }

  #journalFor(id: SegmentId): Journal {
    const { journal } = this.#deps;
    if (journal !== undefined) return journal;
    const message = `the writes of '${id}' are in a journal, and this node runs without: start it with --journal nats`;
    throw new TroughError('NODE_UNAVAILABLE', message, { segment: id });
  }

  /** The hot file as it was left here, if it follows this journal. */
  async #local(
    id: SegmentId,
    stream: string,
    incarnation: string,
  ): Promise<
    { readonly session: WriteSession; readonly mark: number | undefined; readonly applicationId: number } | undefined
  > {
    const file = this.#deps.paths.hot(id);
    if (!(await this.#deps.disk.exists(file))) return undefined;
    const note = await this.#notes.read(id);
    if (note?.stream !== stream || note.incarnation !== incarnation) {
      await this.#setAside(id);
      return undefined;
    }
    try {
      const session = await this.#deps.engine.openWriter({ segment: id, file, isJournaled: true });
      const { applicationId } = note;
      const found = await session.applied();
      // The user's own value: the commit with the first mark was lost with the machine.
      return { session, mark: found === applicationId ? undefined : found, applicationId };
    } catch (error) {
      if (TroughError.from(error).code !== 'SEGMENT_DAMAGED') throw error;
      this.#deps.log.warn({ segment: id, err: error }, 'a hot file is damaged; it is made anew from its journal');
      await this.#setAside(id);
      return undefined;
    }
  }

  async #anew(
    id: SegmentId,
    lease: LeaseDocument,
    from: {
      readonly chain: SegmentChain;
      readonly survey: ChainSurvey;
      readonly creation: Creation;
      readonly hasBase: boolean;
      readonly local: { readonly session: WriteSession } | undefined;
    },
  ): Promise<Base> {
    const { local } = from;
    await local?.session[Symbol.asyncDispose]();
    await this.#notes.remove(id);
    // It follows this journal, so all that it has is in there or in cold storage.
    await this.#deps.disk.removeDatabase(this.#deps.paths.hot(id));
    return this.#base.make(id, lease, from);
  }

  async #finish(
    id: SegmentId,
    base: Base,
    from: {
      readonly chain: SegmentChain;
      readonly survey: ChainSurvey;
      readonly stream: string;
      readonly incarnation: string;
      readonly applicationId: number;
      readonly isNoted: boolean;
    },
  ): Promise<OpenedSegment> {
    const { chain, survey, stream, incarnation, applicationId } = from;
    const { session, published, created } = base;
    let applied: number;
    try {
      applied = await replayBehind(base, chain, survey, from.isNoted);
      if (!from.isNoted) await this.#notes.write(id, { stream, incarnation, applicationId });
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    const covered = survey.states.find(({ sha256 }) => sha256 === published?.sha256)?.applied ?? 0;
    const hasUnpublished = survey.hasOpenData && survey.lastData > covered;
    const highestVersion = survey.states.reduce((highest, { version }) => Math.max(highest, version), 0);
    return {
      ...{ session, chain, incarnation, applicationId, published, created, hasUnpublished, highestVersion },
      answers: survey.answers,
      applied,
      backlogBytes: survey.openBytes,
    };
  }

  /** What the lease says of cold storage. */
  async #known(id: SegmentId, lease: LeaseDocument): Promise<Published | undefined> {
    const { version, sha256, sizeBytes } = lease;
    if (version === null || sha256 === null || sizeBytes === null) return undefined;
    const file = await this.#deps.cold.stat(id);
    if (file === undefined) return undefined;
    return { version, sha256, sizeBytes, path: file.path, modifiedMs: file.modifiedMs };
  }

  /** Nothing says that the journal has what is in it. */
  async #setAside(id: SegmentId): Promise<void> {
    const { disk, paths, clock, log, mustKeep } = this.#deps;
    if (mustKeep?.() === true) throw metadataLost();
    const aside = paths.lost(id, `hot-${String(clock.now())}`);
    await this.#notes.remove(id);
    await disk.moveDatabase(paths.hot(id), aside);
    log.warn({ segment: id, aside }, 'a file that does not follow the journal was moved to lost+found');
  }
}

function lost(id: SegmentId, stream: string): TroughError {
  const message =
    `stream ${stream} of the journal was lost and made anew, and '${id}' had writes in it that are not in cold storage; ` +
    "bring the journal's directory back";
  return new TroughError('JOURNAL_LOST', message, { segment: id, stream });
}
