/** A stored document with the revision that a change must name. Revisions of one store grow with every change of any key. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
}

/** What a watch delivers: the present entries first, then `current`, then every change in order. */
export type WatchEvent =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array; readonly revision: number }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: number }
  /** The present state is complete, as of `revision`. Comes once per watch. */
  | { readonly kind: 'current'; readonly revision: number };

/**
 * Small documents that the cluster agrees on, with compare-and-set on each. Keys are tokens joined by dots (`lease.abc=2Edef`).
 * All reads that callers decide by come from the store's leader. Errors: METADATA_CONFLICT (the revision or absence that was
 * expected is not what is there), METADATA_UNREACHABLE (try again), METADATA_BROKEN (it answers what it must not).
 *
 * A write whose outcome could not be learned is repeated by the driver until it is known: `update` and `create` either happened once
 * with the returned revision or are reported as not happened (METADATA_CONFLICT, or METADATA_UNREACHABLE with context `outcome: 'none'`),
 * or throw METADATA_UNREACHABLE with context `outcome: 'unknown'`. Malformed keys and prefixes are REQUEST_INVALID. A signal that fires
 * rejects with its reason where that is a TroughError, a write that was begun with METADATA_UNREACHABLE.
 */
export interface MetadataStore extends AsyncDisposable {
  get(key: string, signal?: AbortSignal): Promise<Entry | undefined>;
  /** The new revision. */
  create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number>;
  update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number>;
  delete(key: string, expectedRevision: number, signal?: AbortSignal): Promise<void>;
  /** Every entry whose key starts with `prefix` (whole tokens: `lease.`), in no promised order, not all in memory at once. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<Entry>;
  /**
   * Delivers until the signal fires: no event is missed, doubled or out of order for its key, across reconnects and restarts of the server.
   * What is replaced or deleted before it was delivered may be left out (also a whole key that came and went): the last state of each
   * key always comes. If the store was lost and is another one, deletes and puts lead from the old state to the new.
   */
  watch(prefix: string, hear: (event: WatchEvent) => void, signal: AbortSignal): void;
}
