import { TroughError } from '../../errors.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type Published } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Clock } from '../../runtime/clock.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { highestVersion } from './cold-base.ts';

export interface HeldLeaseDeps {
  readonly store: MetadataStore;
  readonly clock: Clock;
  /** True while the leader is known to count this process as alive (its roll names a beat of ours younger than 8 s). */
  readonly confirmed: () => boolean;
  /** Changes when it is confirmed again after it was not for a while: what it held before may be another's by then, and the watch may not have said so yet. */
  readonly lapses: () => number;
  readonly isConnected: () => boolean;
  readonly news: HeldLeaseNews;
}

export interface HeldLeaseNews {
  /** Resolves when no reader answers from a copy any more for not knowing of that lease. */
  tell(lease: { readonly segment: string; readonly revision: number }): Promise<void>;
}

const STORE_DEADLINE_MS = 5_000;

/** The holder's side of a lease: every change of the document is a compare-and-set, and none is made once another holds it. */
export class HeldLease {
  readonly #deps: HeldLeaseDeps;
  readonly #leases: LeaseStore;
  #document: LeaseDocument;
  #revision: number;
  readonly #journal: { readonly incarnation: string } | undefined;
  #published: Published | undefined;
  #told: Promise<void> | undefined;
  /** In which stretch of being confirmed the store itself has said that the lease is ours. */
  #provenIn: number | undefined;

  /** `journal`: the incarnation of the stream that has the segment's writes; undefined: they are here alone. */
  constructor(
    deps: HeldLeaseDeps,
    document: LeaseDocument,
    revision: number,
    published: Published | undefined,
    journal?: { readonly incarnation: string },
  ) {
    this.#journal = journal;
    this.#deps = deps;
    this.#leases = new LeaseStore(deps, STORE_DEADLINE_MS);
    this.#document = document;
    this.#revision = revision;
    this.#published = published;
  }

  get document(): LeaseDocument {
    return this.#document;
  }

  get epoch(): number {
    return this.#document.epoch;
  }

  /** What every version to come is above; 0: nothing was ever published. */
  get highestVersion(): number {
    return highestVersion(this.#document);
  }

  get unpromoted(): boolean {
    return this.#document.unpromoted;
  }

  get isConnected(): boolean {
    return this.#deps.isConnected();
  }

  /** The state in cold storage, when there is one. */
  get published(): Published | undefined {
    return this.#published;
  }

  /** Called with every revision that the watch brings; false when another has the lease now. */
  seen(document: LeaseDocument, revision: number): boolean {
    if (!this.#mine(document)) return revision < this.#revision;
    if (revision > this.#revision) {
      this.#revision = revision;
      this.#document = document;
    }
    return true;
  }

  /**
   * Resolves when an acknowledgement is safe now: the store itself says that the lease is ours, or has said so since when the leader counts us as
   * alive without a gap, in which it moves none of our leases.
   */
  async assertHeld(): Promise<void> {
    const lapses = this.#deps.lapses();
    if (this.#provenIn === lapses && this.#deps.confirmed()) return;
    if (!this.#deps.isConnected()) {
      const message =
        'this node is cut off from NATS and cannot tell whether it still holds the lease; try again shortly';
      throw new TroughError('METADATA_UNREACHABLE', message, { segment: this.#document.segment });
    }
    const lease = await this.#leases.read(this.#document.segment);
    if (lease === undefined || !this.#mine(lease.document)) throw this.#gone();
    this.#provenIn = lapses;
  }

  /** Begins to tell the readers of this lease, as it is now. */
  tell(): void {
    const { segment } = this.#document;
    this.#told = this.#deps.news.tell({ segment, revision: this.#revision });
  }

  /** Before the first write under a lease may be acknowledged: no reader takes what was published before for the newest any more. */
  async known(): Promise<void> {
    if (this.#told === undefined) return;
    await this.#told;
    this.#told = undefined;
  }

  /** Before the first write after a promote may be acknowledged: from here on no copy may answer in the holder's place. */
  async markUnpromoted(): Promise<void> {
    const { incarnation } = this.#journal ?? this.#document;
    const isMarked = this.#document.unpromoted && this.#document.incarnation === incarnation;
    if (!isMarked) await this.#change({ unpromoted: true, incarnation });
  }

  setUnderPromotion(under_promotion: boolean): Promise<void> {
    return this.#change({ under_promotion });
  }

  async setPublished(published: Published, flags: { unpromoted: boolean }): Promise<void> {
    const { version, sha256, sizeBytes } = published;
    await this.#change({ version, sha256, sizeBytes, under_promotion: false, unpromoted: flags.unpromoted });
    this.#published = published;
  }

  giveUp(state: 'released' | 'shredded'): Promise<void> {
    return this.#change({ state, under_promotion: false });
  }

  /** To another node: the lease as that node is to open it. */
  async handOver(to: { node: string; session: string }): Promise<{ lease: LeaseDocument; revision: number }> {
    const acquired_on = this.#deps.clock.now();
    await this.#change({ ...to, epoch: this.#document.epoch + 1, acquired_on, under_promotion: false });
    return { lease: this.#document, revision: this.#revision };
  }

  async #change(change: Partial<LeaseDocument>): Promise<void> {
    let document = { ...this.#document, ...change };
    try {
      this.#revision = await this.#leases.write(document, this.#revision);
    } catch (error) {
      if (TroughError.from(error).code !== 'METADATA_CONFLICT') throw error;
      // Somebody changed the document; when it is still ours the change is made on top of theirs.
      const theirs = await this.#leases.read(this.#document.segment);
      if (theirs === undefined || !this.#mine(theirs.document)) throw this.#gone();
      this.#revision = theirs.revision;
      document = { ...theirs.document, ...change };
      this.#revision = await this.#leases.write(document, this.#revision);
    }
    this.#document = document;
  }

  #mine(document: LeaseDocument): boolean {
    return (
      document.state === 'held' && document.node === this.#document.node && document.epoch === this.#document.epoch
    );
  }

  #gone(): TroughError {
    return new TroughError(
      'SEGMENT_NOT_WRITABLE',
      `this node no longer holds the write lease of '${this.#document.segment}'`,
    );
  }
}
