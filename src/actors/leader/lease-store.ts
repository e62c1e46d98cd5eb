import { type LeaseEntry } from '../../messages/cluster-view.ts';
import { decodeDocument, encodeDocument, LeaseDocument, type NodeDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

const STORE_DEADLINE_MS = 10_000;

/** Lease documents as the store has them now. */
export class LeaseStore {
  readonly #deps: { readonly store: MetadataStore; readonly clock: Clock };

  constructor(deps: { readonly store: MetadataStore; readonly clock: Clock }) {
    this.#deps = deps;
  }

  async read(segment: string): Promise<LeaseEntry | undefined> {
    const { store, clock } = this.#deps;
    const key = keys.lease(segment);
    const entry = await withDeadline(clock, STORE_DEADLINE_MS, (signal) => store.get(key, signal));
    if (entry === undefined) return undefined;
    return { document: decodeDocument(LeaseDocument, key, entry.value), revision: entry.revision };
  }

  /** The new revision; METADATA_CONFLICT when the document is not at `revision` (undefined: not there) any more. */
  write(document: LeaseDocument, revision: number | undefined): Promise<number> {
    const { store, clock } = this.#deps;
    const key = keys.lease(document.segment);
    const value = encodeDocument(document);
    return withDeadline(clock, STORE_DEADLINE_MS, (signal) =>
      revision === undefined ? store.create(key, value, signal) : store.update(key, value, revision, signal),
    );
  }
}

/** The next lease of a segment, for a node. It starts from what the last one published, unless that was shredded. */
export function grantedLease(
  segment: string,
  last: LeaseDocument | undefined,
  node: NodeDocument,
  schema: string,
  now: number,
): LeaseDocument {
  const base = last?.state === 'shredded' ? undefined : last;
  return {
    segment,
    state: 'held',
    node: node.node,
    session: node.session,
    epoch: (last?.epoch ?? 0) + 1,
    schema: base?.schema ?? schema,
    acquired_on: now,
    version: base?.version ?? null,
    sha256: base?.sha256 ?? null,
    sizeBytes: base?.sizeBytes ?? null,
    under_promotion: false,
    unpromoted: false,
  };
}

/** Nobody's: the segment is gone until it is provisioned again. */
export function shreddedLease(segment: string, last: LeaseDocument | undefined, now: number): LeaseDocument {
  return {
    segment,
    state: 'shredded',
    node: '',
    session: '',
    epoch: (last?.epoch ?? 0) + 1,
    schema: last?.schema ?? 'default',
    acquired_on: now,
    version: last?.version ?? null,
    sha256: null,
    sizeBytes: null,
    under_promotion: false,
    unpromoted: false,
  };
}
