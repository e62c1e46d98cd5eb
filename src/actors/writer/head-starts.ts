import { TroughError } from '../../errors.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { ownValue, replayBehind } from './chain-replay.ts';
import { ChainSurvey } from './chain-survey.ts';
import { HotNotes } from './hot-note.ts';
import { type EarlierSurveys, type JournaledOpenerDeps, type JournalPlace } from './journaled-opener.ts';
import { SegmentBase } from './segment-base.ts';
import { SegmentChain } from './segment-chain.ts';

interface HeadStart extends JournalPlace {
  readonly madeAt: number;
  readonly survey: ChainSurvey | undefined;
}

/** A hand-over comes at once or not at all. */
const KEPT_MS = 60_000;

/**
 * Hot files of segments that other nodes still write, made from what the journal has by now, before they are handed over to this one. Nothing is claimed
 * for it, so nothing of it is taken on trust: it is left as a file that was kept from an earlier stay, with its note and its mark, and whoever opens the segment judges it as
 * such, behind the claim. What was read of the journal for it was true of the journal then, and stays so.
 */
export class HeadStarts implements EarlierSurveys {
  readonly #deps: JournaledOpenerDeps;
  readonly #notes: HotNotes;
  readonly #base: SegmentBase;
  readonly #made = new Map<SegmentId, HeadStart>();

  constructor(deps: JournaledOpenerDeps) {
    this.#deps = deps;
    this.#notes = new HotNotes(deps);
    this.#base = new SegmentBase(deps);
  }

  /** False: there is a file already, or nothing worth one. The errors of `SegmentBase`, of a replay and of the ports: nothing is left then. */
  async make(id: SegmentId, lease: LeaseDocument): Promise<boolean> {
    const { journal, disk, paths, clock } = this.#deps;
    const { stream } = lease;
    if (journal === undefined || stream === null || (await disk.exists(paths.hot(id)))) return false;
    const { incarnation } = await journal.state(stream);
    const key = { stream, name: id };
    const chain = await SegmentChain.unclaimed({ ...this.#deps, journal, key, epoch: lease.epoch });
    if (chain === undefined) return false;
    const survey = await ChainSurvey.of(chain, undefined);
    if (!survey.hasOpenData) return false;
    try {
      await this.#notes.remove(id);
      const { applicationId, applied } = await this.#build(id, lease, chain, survey);
      // With open writes nothing behind the last of them speaks against the file.
      survey.marked = applied;
      await this.#notes.write(id, { stream, incarnation, applicationId });
    } catch (error) {
      await this.remove(id);
      throw TroughError.from(error);
    }
    this.#made.set(id, { madeAt: clock.monotonic(), stream, incarnation, survey });
    return true;
  }

  /** Each once, for who reads on in it changes it. */
  takeSurvey(id: SegmentId, { stream, incarnation }: JournalPlace): ChainSurvey | undefined {
    const made = this.#made.get(id);
    if (made?.stream !== stream || made.incarnation !== incarnation) return undefined;
    this.#made.set(id, { ...made, survey: undefined });
    return made.survey;
  }

  /** The segment was opened here: its file is in use. */
  forget(id: SegmentId): void {
    this.#made.delete(id);
  }

  /** Those that nobody came for, each once. */
  takeOverdue(): readonly SegmentId[] {
    const before = this.#deps.clock.monotonic() - KEPT_MS;
    const overdue = [...this.#made].filter(([, { madeAt }]) => madeAt <= before).map(([id]) => id);
    for (const id of overdue) this.#made.delete(id);
    return overdue;
  }

  async remove(id: SegmentId): Promise<void> {
    await this.#notes.remove(id);
    await this.#deps.disk.removeDatabase(this.#deps.paths.hot(id));
  }

  /** Everything up to the end of the chain as it was found. */
  async #build(
    id: SegmentId,
    lease: LeaseDocument,
    chain: SegmentChain,
    survey: ChainSurvey,
  ): Promise<{ readonly applicationId: number; readonly applied: number }> {
    // With writes in the journal only what they stand on is looked for: nothing is begun anew.
    const creation = { schema: lease.schema, sql: '', timeMs: 0, seed: '' };
    const base = await this.#base.make(id, lease, { chain, survey, creation, hasBase: true });
    await using session = base.session;
    const applicationId = await ownValue(session);
    return { applicationId, applied: await replayBehind(base, chain, survey, false) };
  }
}
