import { TroughError, unreachable } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ManifestAnswer, type ManifestRow } from '../../messages/control.ts';
import { decodeDocument, LeaseDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type Assign } from '../../messages/node-messages.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { isSegmentId, parseSegmentId, type SegmentId } from '../../model/segment-id.ts';
import { type Actor } from '../../runtime/actor.ts';
import { Backoff } from '../../runtime/backoff.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { KeyedTasks } from '../../runtime/keyed-tasks.ts';
import { type CopyFetcherDeps, fetchCopy } from './copy-fetcher.ts';

export type CopierMessage =
  | { readonly kind: 'assign'; readonly assign: Assign }
  /** The engine or a check found the copy broken: it is not served from now on, and fetched again. */
  | { readonly kind: 'damaged'; readonly segment: SegmentId }
  | { readonly kind: 'tick' };

export interface CopierDeps extends CopyFetcherDeps {
  readonly log: Log;
  readonly random: () => number;
  readonly store: MetadataStore;
  readonly node: string;
  readonly parallel: number;
  /** How long a copy that is no longer asked for stays, ms. */
  readonly evictAfterMs: number;
  /** One page of what this node must hold, from the leader. */
  readonly manifest: (after: string | undefined, signal: AbortSignal) => Promise<ManifestAnswer>;
  /** True while the placement, read now from the store, still names this node for the segment. */
  readonly stillNamed: (segment: SegmentId) => Promise<boolean>;
}

/** What a beat says of the copies. */
export interface CopierState {
  readonly pending: number;
  readonly complete: { readonly term: number; readonly epoch: number } | null;
}

const CALL_DEADLINE_MS = 30_000;

/**
 * Makes the copies on this node match what the leader assigns. Changes come as messages; whenever one may have been missed
 * (another term or epoch, a gap in their numbers, a restart) the whole manifest is asked for, page by page.
 */
export class Copier implements Actor<CopierMessage>, CopierState {
  readonly name = 'copier';
  readonly #deps: CopierDeps;
  readonly #tasks: KeyedTasks;
  readonly #stopping = new AbortController();
  readonly #wanted = new Map<SegmentId, ManifestRow>();
  readonly #unasked = new Map<SegmentId, number>();
  #place: { term: number; epoch: number; sequence: number } | undefined;
  #reconciling: Promise<void> | undefined;
  #retry: { backoff: Backoff; at: number };
  #again = false;

  constructor(deps: CopierDeps) {
    this.#deps = deps;
    this.#tasks = new KeyedTasks({ parallel: deps.parallel, waiting: Infinity });
    this.#retry = { backoff: new Backoff({ firstMs: 500, mostMs: 30_000 }, deps.random), at: Infinity };
  }

  get pending(): number {
    return this.#wanted.size;
  }

  get complete(): { term: number; epoch: number } | null {
    if (this.#place === undefined || this.#reconciling !== undefined || this.#wanted.size > 0) return null;
    return { term: this.#place.term, epoch: this.#place.epoch };
  }

  /** A store or an inventory that fails for a moment must not end what is being fetched: what was missed comes with the next manifest. */
  async receive(message: CopierMessage): Promise<void> {
    try {
      await this.#handle(message);
    } catch (error) {
      const fields = { actor: this.name, message: message.kind, err: TroughError.from(error) };
      this.#deps.log.warn(fields, 'a message could not be handled; the manifest is asked for again');
      this.#again = true;
    }
  }

  async #handle(message: CopierMessage): Promise<void> {
    switch (message.kind) {
      case 'assign':
        await this.#assigned(message.assign);
        return;
      case 'damaged':
        await this.#damaged(message.segment);
        return;
      case 'tick':
        await this.#tick();
        return;
      default:
        unreachable(message);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reconciling;
    await this.#tasks.idle();
  }

  async #assigned({ term, epoch, sequence, changed, shredded }: Assign): Promise<void> {
    const place = this.#place;
    if (place !== undefined && term < place.term) return;
    for (const segment of shredded) await this.#shredded(segment);
    // A repeat takes no number of its own: one that is ahead means that a message was missed.
    const ahead = changed.length + shredded.length > 0 ? 1 : 0;
    const next =
      place?.term === term &&
      place.epoch === epoch &&
      (sequence === place.sequence || sequence === place.sequence + ahead);
    if (!next) {
      this.#reconcileSoon();
      return;
    }
    this.#place = { term, epoch, sequence };
    for (const row of changed) this.#want(row);
    // The manifest that is being read may be from before this change, and drops what it does not name.
    if (this.#reconciling !== undefined) this.#again = true;
  }

  #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #want(row: ManifestRow): void {
    if (!isSegmentId(row.id)) return;
    this.#unasked.delete(row.id);
    const have = this.#deps.inventory.record(row.id);
    if (have !== undefined && have.version >= row.version) return;
    if ((this.#wanted.get(row.id)?.version ?? -1) >= row.version) return;
    this.#wanted.set(row.id, row);
    void this.#tasks.run(row.id, () => this.#fetch(row.id as SegmentId));
  }

  async #fetch(id: SegmentId): Promise<void> {
    const row = this.#wanted.get(id);
    if (row === undefined || this.#stopped()) return;
    try {
      await fetchCopy(this.#deps, id, row, this.#stopping.signal);
      if (this.#wanted.get(id) === row) this.#wanted.delete(id);
      this.#retry.backoff.reset();
    } catch (error) {
      if (this.#stopped()) return;
      const restMs = this.#retry.backoff.next();
      this.#retry.at = Math.min(this.#retry.at, this.#deps.clock.monotonic() + restMs);
      this.#deps.log.warn(
        { actor: this.name, segment: id, err: TroughError.from(error), restMs },
        'a copy could not be fetched and is tried again',
      );
    }
  }

  async #damaged(segment: SegmentId): Promise<void> {
    const record = this.#deps.inventory.record(segment);
    if (record === undefined) return;
    this.#deps.log.error({ actor: this.name, segment, version: record.version }, 'a copy is damaged and is replaced');
    await this.#deps.inventory.remove(segment);
    await this.#deps.disk.removeDatabase(this.#deps.paths.copy(segment));
    this.#reconcileSoon();
  }

  /** The word of a message deletes nothing: the lease itself must say that the segment is shredded. */
  async #shredded(segment: string): Promise<void> {
    const id = parseSegmentId(segment);
    const key = keys.lease(id);
    const entry = await withDeadline(this.#deps.clock, CALL_DEADLINE_MS, (signal) => this.#deps.store.get(key, signal));
    if (entry === undefined || decodeDocument(LeaseDocument, key, entry.value).state !== 'shredded') return;
    this.#wanted.delete(id);
    await this.#delete(id);
  }

  async #delete(id: SegmentId): Promise<void> {
    await this.#deps.inventory.remove(id);
    await this.#deps.disk.removeDatabase(this.#deps.paths.copy(id));
  }

  async #tick(): Promise<void> {
    const now = this.#deps.clock.monotonic();
    if (now >= this.#retry.at) {
      this.#retry.at = Infinity;
      for (const id of this.#wanted.keys()) void this.#tasks.run(id, () => this.#fetch(id));
    }
    if (this.#place === undefined || this.#again) this.#reconcileSoon();
    for (const [id, since] of this.#unasked) {
      if (now - since < this.#deps.evictAfterMs) continue;
      this.#unasked.delete(id);
      if (!(await this.#deps.stillNamed(id))) await this.#delete(id);
    }
  }

  #reconcileSoon(): void {
    if (this.#reconciling !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#reconciling = this.#reconcile()
      .catch((error: unknown) => {
        this.#again = true;
        if (!this.#stopped()) {
          this.#deps.log.debug(
            { actor: this.name, err: TroughError.from(error) },
            'the manifest could not be had and is asked for again',
          );
        }
      })
      .finally(() => {
        this.#reconciling = undefined;
      });
  }

  async #reconcile(): Promise<void> {
    const asked = new Set<string>();
    let after: string | undefined;
    let first: ManifestAnswer | undefined;
    do {
      const from = after;
      const page = await withDeadline(
        this.#deps.clock,
        CALL_DEADLINE_MS,
        (signal) => this.#deps.manifest(from, signal),
        this.#stopping.signal,
      );
      first ??= page;
      if (page.term !== first.term || page.epoch !== first.epoch)
        throw new TroughError('LEADER_DEPOSED', 'the manifest changed while it was read');
      for (const row of page.rows) {
        asked.add(row.id);
        this.#want(row);
      }
      after = page.next;
    } while (after !== undefined);
    this.#place = { term: first.term, epoch: first.epoch, sequence: first.sequence };
    this.#markUnasked(asked);
  }

  #markUnasked(asked: ReadonlySet<string>): void {
    const now = this.#deps.clock.monotonic();
    for (const id of this.#deps.inventory.ids()) {
      if (!asked.has(id) && !this.#unasked.has(id)) this.#unasked.set(id, now);
    }
    for (const id of this.#unasked.keys()) if (asked.has(id)) this.#unasked.delete(id);
    for (const id of this.#wanted.keys()) if (!asked.has(id)) this.#wanted.delete(id);
  }
}
