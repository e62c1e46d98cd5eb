import { type ColdStore } from '../../cold/cold-store.ts';
import { TroughError } from '../../errors.ts';
import { type Journal } from '../../journal/journal.ts';
import { type Log } from '../../log.ts';
import { type LeaseEntry } from '../../messages/cluster-view.ts';
import { type ShredAnswer } from '../../messages/control.ts';
import { type NodeCalls } from '../../messages/node-calls.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { segmentUnknown } from '../../model/segment-unknown.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type LeaseStore } from '../shared/lease-store.ts';
import { shredJournal } from './journal-shredder.ts';
import { shreddedLease } from './lease-documents.ts';

export interface LeaseShredderDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly cold: ColdStore;
  readonly journal?: Journal;
  readonly nodes: Pick<NodeCalls, 'close'>;
  readonly leases: LeaseStore;
  /** Resolves when it is recorded that the segment is gone. */
  readonly news: { readonly shredded: (segment: SegmentId) => Promise<void> };
}

/** Deletes a segment everywhere, in the order that leaves nothing from which it could come back: its journal, its lease, its uploads, its file. */
export class LeaseShredder {
  readonly #deps: LeaseShredderDeps;

  constructor(deps: LeaseShredderDeps) {
    this.#deps = deps;
  }

  /** SEGMENT_LEASED, SEGMENT_UNKNOWN. */
  async shred(id: SegmentId, force: boolean): Promise<ShredAnswer> {
    const lease = await this.#deps.leases.read(id);
    const leased = lease?.document.state === 'held';
    if (leased && !force) {
      const message = `'${id}' is open for writing on ${lease.document.node}; release it first`;
      throw new TroughError('SEGMENT_LEASED', message, { segment: id });
    }
    if (leased) await this.#discardAtHolder(id, lease);
    const now = leased ? await this.#deps.leases.read(id) : lease;
    if (
      !leased &&
      (now?.document.state ?? 'shredded') === 'shredded' &&
      (await this.#deps.cold.stat(id)) === undefined
    ) {
      throw segmentUnknown(id);
    }
    if (now !== undefined) await shredJournal(this.#deps, now.document);
    // A holder that was away comes back to a lease that is not its own.
    await this.#deps.leases.write(shreddedLease(id, now?.document, this.#deps.clock.now()), now?.revision);
    await this.#deps.cold.discardUploads(id);
    await this.#deps.cold.remove(id);
    await this.#deps.news.shredded(id);
    return { segment: id };
  }

  /** One that is away, or has lost the file, need not be asked: the lease is taken from it all the same. */
  async #discardAtHolder(id: SegmentId, { document }: LeaseEntry): Promise<void> {
    try {
      await this.#deps.nodes.close(document.node, { segment: id, epoch: document.epoch, discard: true });
    } catch (error) {
      const { code } = TroughError.from(error);
      if (code !== 'NODE_UNAVAILABLE' && code !== 'SEGMENT_NOT_WRITABLE') throw error;
      this.#deps.log.warn({ segment: id, node: document.node, code }, 'a segment is shredded without its holder');
    }
  }
}
