import { type LeaseEntry } from '../../messages/cluster-view.ts';
import { decodeDocument, encodeDocument, LeaseDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

/** For whoever has no reason of its own to wait shorter or longer, ms. */
const DEADLINE_MS = 10_000;

/** Lease documents as the store has them now, each call within a deadline. */
export class LeaseStore {
  readonly #deps: { readonly store: MetadataStore; readonly clock: Clock };
  readonly #deadlineMs: number;

  constructor(deps: { readonly store: MetadataStore; readonly clock: Clock }, deadlineMs = DEADLINE_MS) {
    this.#deps = deps;
    this.#deadlineMs = deadlineMs;
  }

  async read(segment: string, outer?: AbortSignal): Promise<LeaseEntry | undefined> {
    const { store, clock } = this.#deps;
    const key = keys.lease(segment);
    const entry = await withDeadline(clock, this.#deadlineMs, (signal) => store.get(key, signal), outer);
    if (entry === undefined) return undefined;
    return { document: decodeDocument(LeaseDocument, key, entry.value), revision: entry.revision };
  }

  /** The new revision; METADATA_CONFLICT when the document is not at `revision` (undefined: not there) any more. */
  write(document: LeaseDocument, revision: number | undefined): Promise<number> {
    const { store, clock } = this.#deps;
    const key = keys.lease(document.segment);
    const value = encodeDocument(document);
    return withDeadline(clock, this.#deadlineMs, (signal) =>
      revision === undefined ? store.create(key, value, signal) : store.update(key, value, revision, signal),
    );
  }
}
