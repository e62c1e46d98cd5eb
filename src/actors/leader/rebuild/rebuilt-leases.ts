import { TroughError } from '../../../errors.ts';
import { type LeaseDocument } from '../../../messages/documents.ts';
import { type LeaseStore } from '../../shared/lease-store.ts';
import { type RebuildReport } from './rebuild-report.ts';

export type LeaseFacts = Pick<LeaseDocument, 'segment' | 'state'> & Partial<LeaseDocument>;

interface Known {
  readonly document: LeaseDocument;
  readonly revision: number | undefined;
}

/** Stands where a node's name does while nobody knows whose state counts. */
const UNDECIDED_SESSION = '';

/**
 * The leases that a rebuild makes. One that is there already, from a run before this one or from after the loss, stays as it is: whoever wrote it knew more;
 * only one that waits for the operator's word is replaced by that.
 */
export class RebuiltLeases {
  readonly #leases: LeaseStore;
  readonly #report: RebuildReport;
  readonly #nowMs: number;
  readonly #known = new Map<string, Known>();
  readonly #heldBack = new Set<string>();
  /** Of the newest document that was written. */
  revision = 0;

  constructor(leases: LeaseStore, report: RebuildReport, nowMs: number) {
    this.#leases = leases;
    this.#report = report;
    this.#nowMs = nowMs;
  }

  /** As it is now, or in a dry run as it would be. */
  async of(segment: string): Promise<LeaseDocument | undefined> {
    return (await this.#read(segment))?.document;
  }

  held(): LeaseDocument[] {
    return Array.from(this.#known.values(), ({ document }) => document).filter(
      (document) => document.state === 'held' && !isUndecided(document),
    );
  }

  /** The lease that counts from now on, and whether it is this one. */
  async propose(facts: LeaseFacts): Promise<{ readonly lease: LeaseDocument; readonly isOurs: boolean }> {
    const before = await this.#read(facts.segment);
    if (before !== undefined && !isUndecided(before.document)) {
      this.#report.counts.kept += 1;
      return { lease: before.document, isOurs: false };
    }
    return { lease: await this.#write(facts, before), isOurs: true };
  }

  /** By the operator's word, also in place of one that is there, unless somebody holds that. undefined: somebody does. */
  async take(facts: LeaseFacts): Promise<LeaseDocument | undefined> {
    const before = await this.#read(facts.segment);
    const isFree = before === undefined || before.document.state !== 'held' || isUndecided(before.document);
    return isFree ? this.#write(facts, before) : undefined;
  }

  isHeldBack(segment: string): boolean {
    return this.#heldBack.has(segment);
  }

  /**
   * Nobody writes it, and nobody reads it as if it were the newest, until the operator says whose state counts. False: there is a lease of somebody
   * already.
   */
  async hold(segment: string, between: readonly string[], facts: Partial<LeaseDocument>): Promise<boolean> {
    const before = await this.#read(segment);
    if (before !== undefined && !isUndecided(before.document)) return false;
    this.#heldBack.add(segment);
    if (before !== undefined) return true;
    const nobody = { node: between.join(' or '), session: UNDECIDED_SESSION, unpromoted: true };
    await this.#write({ segment, state: 'held', ...facts, ...nobody }, undefined);
    return true;
  }

  async #read(segment: string): Promise<Known | undefined> {
    const known = this.#known.get(segment);
    if (known !== undefined) return known;
    const entry = await this.#leases.read(segment);
    if (entry !== undefined) this.#known.set(segment, entry);
    return entry;
  }

  async #write(facts: LeaseFacts, before: Known | undefined): Promise<LeaseDocument> {
    const document = {
      ...this.#blank(),
      ...facts,
      epoch: Math.max(facts.epoch ?? 1, (before?.document.epoch ?? 0) + 1),
    };
    let revision: number | undefined;
    if (!this.#report.dryRun) {
      revision = await this.#put(document, before?.revision);
      this.revision = Math.max(this.revision, revision);
    }
    this.#known.set(document.segment, { document, revision });
    this.#report.counts[document.state] += 1;
    return document;
  }

  async #put(document: LeaseDocument, revision: number | undefined): Promise<number> {
    try {
      return await this.#leases.write(document, revision);
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code !== 'METADATA_CONFLICT') throw error;
      const message = `the lease of '${document.segment}' was changed by somebody else meanwhile; run the rebuild again`;
      throw new TroughError('METADATA_CONFLICT', message, { segment: document.segment }, error);
    }
  }

  #blank(): Omit<LeaseDocument, 'segment' | 'state'> {
    return {
      ...{ node: '', session: '', epoch: 1, schema: 'default', acquired_on: this.#nowMs },
      ...{ version: null, sha256: null, sizeBytes: null, under_promotion: false, unpromoted: false },
      ...{ stream: null, incarnation: null, formerVersion: 0 },
    };
  }
}

export function isUndecided({ state, session, unpromoted, stream }: LeaseDocument): boolean {
  return state === 'held' && session === UNDECIDED_SESSION && unpromoted && stream === null;
}
