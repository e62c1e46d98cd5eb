import { TroughError } from '../../errors.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { type OpenRequest } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { LeaseStore } from '../shared/lease-store.ts';
import { HeadStarts } from './head-starts.ts';
import { HotNotes } from './hot-note.ts';
import { HeldLease, type HeldLeaseDeps } from './held-lease.ts';
import { HotSegment, type HotSegmentDeps } from './hot-segment.ts';
import { JournaledOpener, type JournaledOpenerDeps, type OpenedSegment } from './journaled-opener.ts';
import { type Prepared, SegmentOpener } from './segment-opener.ts';

export interface SegmentStarterDeps extends HotSegmentDeps, JournaledOpenerDeps, HeldLeaseDeps {
  readonly view: ClusterView;
  readonly store: MetadataStore;
}

export interface Started {
  readonly hot: HotSegment;
  readonly created: boolean;
}

interface From {
  readonly schemaSql: string;
  readonly hasBase: boolean;
}

/** Opens segments whose leases this node has: in the way that the lease says, with a journal or without. */
export class SegmentStarter {
  /** Files of segments that are to come. */
  readonly headStarts: HeadStarts;
  readonly #deps: SegmentStarterDeps;
  readonly #opener: SegmentOpener;
  readonly #journaled: JournaledOpener;
  readonly #leases: LeaseStore;

  constructor(deps: SegmentStarterDeps) {
    this.#deps = deps;
    this.#opener = new SegmentOpener(deps);
    this.headStarts = new HeadStarts(deps);
    this.#journaled = new JournaledOpener(deps, this.headStarts);
    this.#leases = new LeaseStore(deps);
  }

  /** For a lease that was granted now. undefined: it is not this node's any more. */
  async granted(id: SegmentId, request: OpenRequest): Promise<Started | undefined> {
    const { lease, revision, schemaSql, hasBase } = request;
    if (lease.state !== 'held' || lease.node !== this.#deps.self.node) {
      const message = `the lease of '${id}' was not granted to this node`;
      throw new TroughError('SEGMENT_NOT_WRITABLE', message, { segment: id });
    }
    const isOurs = lease.session === this.#deps.self.session;
    if (lease.stream !== null && isOurs) return this.#withJournal(id, lease, revision, { schemaSql, hasBase });
    // Without a journal a lease that is not as it was granted was open here before, whatever the asker thinks: its file may be the newest state
    // there is. A request that was held up, or comes twice, knows nothing of what was written since.
    const isAsGranted = isOurs && !lease.unpromoted && (await this.#leases.read(id))?.revision === revision;
    if (!isAsGranted) return this.again(id);
    const prepared = await this.#opener.prepareGranted(id, lease, hasBase);
    return this.#alone(id, lease, revision, prepared, schemaSql);
  }

  /** For a lease that an earlier run of this node had, or this one. A new session takes it over, so that nothing of the old one can still be acknowledged. */
  async again(id: SegmentId): Promise<Started | undefined> {
    const read = await this.#leases.read(id);
    const { node, session } = this.#deps.self;
    if (read?.document.state !== 'held' || read.document.node !== node) return undefined;
    const schemaSql = this.#deps.view.schema(read.document.schema)?.sql ?? '';
    const document = { ...read.document, session, epoch: read.document.epoch + 1, under_promotion: false };
    if (read.document.stream !== null) {
      const from = { schemaSql, hasBase: true };
      // Of the same session: its claim in the journal says whether the epoch is used up.
      if (read.document.session === session) return this.#withJournal(id, read.document, read.revision, from);
      return this.#withJournal(id, document, await this.#leases.write(document, read.revision), from);
    }
    const prepared = await this.#opener.prepareKept(id, read.document);
    if (read.document.unpromoted) await this.#withoutMark(id);
    return this.#alone(id, document, await this.#leases.write(document, read.revision), prepared, schemaSql);
  }

  /** A file that followed a journal which is lost goes on without one: its header gets back what the user had there. */
  async #withoutMark(id: SegmentId): Promise<void> {
    const notes = new HotNotes(this.#deps);
    const note = await notes.read(id);
    if (note === undefined) return;
    await using session = await this.#deps.engine.openWriter({ segment: id, file: this.#deps.paths.hot(id) });
    await session.setApplicationId(note.applicationId);
    await notes.remove(id);
  }

  /** The file here is all there is of what is not in cold storage. */
  async #alone(
    id: SegmentId,
    document: LeaseDocument,
    revision: number,
    prepared: Prepared,
    schemaSql: string,
  ): Promise<Started> {
    const { engine, paths } = this.#deps;
    const session = await engine.openWriter({ segment: id, file: paths.hot(id), schemaSql });
    const lease = new HeldLease(this.#deps, document, revision, prepared.base);
    const hot = new HotSegment(id, lease, { session }, this.#deps);
    try {
      // The lease must name the base, so that copies of it may answer should this node be lost before the first write.
      if (prepared.base !== undefined && prepared.base.version !== document.version) {
        await lease.setPublished(prepared.base, { unpromoted: document.unpromoted });
      }
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    tellUnlessKnown(lease, document);
    return { hot, created: prepared.created };
  }

  async #withJournal(id: SegmentId, granted: LeaseDocument, at: number, from: From): Promise<Started> {
    const { document, revision, opened } = await this.#claim(id, granted, at, from);
    const { session, chain, applicationId, published, incarnation } = opened;
    const lease = new HeldLease(this.#deps, document, revision, published, { incarnation });
    const hot = new HotSegment(id, lease, { ...opened, place: { chain, applicationId } }, this.#deps);
    try {
      if (opened.hasUnpublished) await lease.markUnpromoted();
      if (published !== undefined && published.version !== document.version) {
        await lease.setPublished(published, { unpromoted: lease.unpromoted });
      }
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
    tellUnlessKnown(lease, granted);
    return { hot, created: opened.created };
  }

  /** With an epoch above every one in the journal. The lease is raised by compare-and-set, so it must still be ours. */
  async #claim(
    id: SegmentId,
    granted: LeaseDocument,
    at: number,
    from: From,
  ): Promise<{ readonly document: LeaseDocument; readonly revision: number; readonly opened: OpenedSegment }> {
    let [document, revision] = [granted, at];
    for (;;) {
      try {
        return { document, revision, opened: await this.#journaled.open(id, document, from) };
      } catch (error) {
        const { code, context } = TroughError.from(error);
        // A shred that was cut off behind its record: whatever is in cold storage still, nobody goes on from it.
        if (context['shredded'] === true) await this.#leases.write({ ...document, state: 'shredded' }, revision);
        if (code !== 'JOURNAL_FENCED' || typeof context['epoch'] !== 'number') throw error;
        document = { ...document, epoch: context['epoch'] + 1 };
        revision = await this.#leases.write(document, revision);
      }
    }
  }
}

/**
 * What was published under an older lease may be answered by readers that do not know of this one. Where nothing was ever published, they ask the store before they say
 * that there is no such segment; and who had written has told them.
 */
function tellUnlessKnown(lease: HeldLease, { unpromoted, epoch }: LeaseDocument): void {
  if (!unpromoted && (lease.published !== undefined || epoch > 1)) lease.tell();
}
