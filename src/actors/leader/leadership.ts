import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ClusterView } from '../../messages/cluster-view.ts';
import { decodeDocument, encodeDocument, LeaderDocument } from '../../messages/documents.ts';
import { keys } from '../../messages/keys.ts';
import { type MetadataStore } from '../../metadata/metadata-store.ts';
import { type Actor, type Emit } from '../../runtime/actor.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

export interface LeadershipMessage {
  readonly kind: 'tick';
}

export type LeadershipNews =
  { readonly kind: 'leading'; readonly term: number } | { readonly kind: 'deposed'; readonly term: number };

/** What others of this process may know of it at any time. */
export interface LeadershipState {
  /** The term in which this process leads now, if it does. */
  readonly term: number | undefined;
  /** ms since the last renewal that the store confirmed; Infinity when not leading. */
  readonly renewedMs: number;
  /** The store's revision at that renewal: nothing that was written before it is later than this. 0 when not leading. */
  readonly revision: number;
}

export interface LeadershipDeps {
  readonly clock: Clock;
  readonly store: MetadataStore;
  readonly view: ClusterView;
  readonly emit: Emit<LeadershipNews>;
  readonly log: Log;
  readonly self: { readonly node: string; readonly session: string };
  /** Where its manager listens. */
  readonly url: () => string;
}

const RENEW_EVERY_MS = 2_000;
/** An unchanged document of this age is a dead leader's. Longer than the leader believes in itself without a renewal. */
const TAKE_OVER_AFTER_MS = 6_500;
const STEP_DOWN_AFTER_MS = 5_000;
const STORE_DEADLINE_MS = 3_000;
/** Wall and monotonic clock of a machine that was awake differ by no more than this since the last renewal. */
const AWAKE_WITHIN_MS = 1_000;

interface Held {
  readonly document: LeaderDocument;
  readonly revision: number;
  /** By the monotonic clock. */
  readonly renewedAt: number;
  /** Wall minus monotonic then: a jump means that this machine slept, which the monotonic clock does not count, or that its clock was set. */
  readonly offsetMs: number;
}

/**
 * Stands for the leadership: one document, changed only by compare-and-set, renewed every 2 s. A leader that cannot renew steps down
 * before anybody else takes over (lease with unequal limits, as in Gray and Cheriton, 1989).
 */
export class Leadership implements Actor<LeadershipMessage>, LeadershipState {
  readonly name = 'leadership';
  readonly #deps: LeadershipDeps;
  #leadingSince = 0;
  #quietBeforeMs = 0;
  #held: Held | undefined;

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
  }

  get term(): number | undefined {
    const held = this.#held;
    if (held === undefined || this.#hasSlept(held) || this.#isReplaced(held)) return undefined;
    // Also while a renewal hangs: others may have taken over by the time that it fails.
    return this.renewedMs < STEP_DOWN_AFTER_MS ? held.document.term : undefined;
  }

  /**
   * How long no other has renewed its leadership, ms; undefined when this one does not lead. Longer than it has led when it took over from one that was
   * silent.
   */
  get aloneMs(): number | undefined {
    if (this.term === undefined) return undefined;
    return this.#deps.clock.monotonic() - this.#leadingSince + this.#quietBeforeMs;
  }

  /** How long it has led without a break, ms; undefined when it does not. */
  get leadingMs(): number | undefined {
    return this.term === undefined ? undefined : this.#deps.clock.monotonic() - this.#leadingSince;
  }

  get revision(): number {
    return this.#held?.revision ?? 0;
  }

  get renewedMs(): number {
    return this.#held === undefined ? Infinity : this.#deps.clock.monotonic() - this.#held.renewedAt;
  }

  async receive(): Promise<void> {
    if (!this.#deps.view.current) return;
    if (this.#held === undefined) await this.#stand();
    else await this.#renew(this.#held);
  }

  /** A clean stop lets another lead at once. */
  async stop(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    try {
      await this.#write({ ...held.document, held: false }, held.revision);
    } catch (error) {
      this.#deps.log.warn(
        { actor: this.name, err: error },
        'the leadership was not handed back; another takes it when it has run out',
      );
    }
  }

  async #stand(): Promise<void> {
    const seen = this.#deps.view.leader();
    const { node, session } = this.#deps.self;
    // Our own name in it is that of an earlier run: this one holds the data directory and nobody else answers to the name.
    const vacant = !seen?.document.held || seen.document.node === node;
    if (!vacant && seen.unchangedMs < TAKE_OVER_AFTER_MS) return;
    const document: LeaderDocument = {
      node,
      session,
      url: this.#deps.url(),
      held: true,
      term: (seen?.document.term ?? 0) + 1,
      beat: 0,
    };
    const askedAt = this.#deps.clock.monotonic();
    // The document is as it was seen, or it is not written: nobody has renewed since.
    const quietMs = seen?.unchangedMs ?? 0;
    try {
      const offsetMs = this.#offsetMs;
      const revision = await this.#write(document, seen?.revision);
      this.#held = { document, revision, renewedAt: askedAt, offsetMs };
      this.#deps.log.info({ actor: this.name, term: document.term }, 'leads the cluster');
      this.#leadingSince = askedAt;
      this.#quietBeforeMs = quietMs;
      this.#deps.emit({ kind: 'leading', term: document.term });
    } catch (error) {
      this.#failed(error);
    }
  }

  async #renew(held: Held): Promise<void> {
    const askedAt = this.#deps.clock.monotonic();
    if (askedAt - held.renewedAt >= STEP_DOWN_AFTER_MS) {
      this.#stepDown(held.document.term, 'the leadership could not be renewed in time');
      return;
    }
    // After a sleep only the store can say whether nobody else has taken over.
    if (askedAt - held.renewedAt < RENEW_EVERY_MS && !this.#hasSlept(held)) return;
    const document = { ...held.document, beat: held.document.beat + 1 };
    try {
      const offsetMs = this.#offsetMs;
      const revision = await this.#write(document, held.revision);
      this.#held = { document, revision, renewedAt: askedAt, offsetMs };
    } catch (error) {
      this.#failed(error);
      if (TroughError.from(error).code !== 'METADATA_CONFLICT') return;
      await this.#lookAgain(held.document).catch((lookError: unknown) => {
        this.#failed(lookError);
      });
    }
  }

  get #offsetMs(): number {
    return this.#deps.clock.now() - this.#deps.clock.monotonic();
  }

  #hasSlept(held: Held): boolean {
    return Math.abs(this.#offsetMs - held.offsetMs) > AWAKE_WITHIN_MS;
  }

  /** The watch may bring another's leadership before the next renewal finds it. */
  #isReplaced({ document }: Held): boolean {
    return (this.#deps.view.leader()?.document.term ?? 0) > document.term;
  }

  /** A conflict is another's leadership, unless it is our own write whose answer was lost. */
  async #lookAgain(mine: LeaderDocument): Promise<void> {
    const entry = await withDeadline(this.#deps.clock, STORE_DEADLINE_MS, (signal) =>
      this.#deps.store.get(keys.leader, signal),
    );
    const document = entry === undefined ? undefined : decodeDocument(LeaderDocument, keys.leader, entry.value);
    if (
      entry !== undefined &&
      document?.session === mine.session &&
      document.term === mine.term &&
      this.#held !== undefined
    ) {
      this.#held = { ...this.#held, document, revision: entry.revision };
      return;
    }
    this.#stepDown(mine.term, 'another leads');
  }

  #stepDown(term: number, why: string): void {
    this.#held = undefined;
    this.#deps.log.warn({ actor: this.name, term, why }, 'no longer leads');
    this.#deps.emit({ kind: 'deposed', term });
  }

  #failed(error: unknown): void {
    const { code, message } = TroughError.from(error);
    if (code === 'METADATA_CONFLICT') return;
    this.#deps.log.warn({ actor: this.name, code, message }, 'the leadership document could not be written');
  }

  #write(document: LeaderDocument, revision: number | undefined): Promise<number> {
    const value = encodeDocument(document);
    const { store, clock } = this.#deps;
    return withDeadline(clock, STORE_DEADLINE_MS, (signal) =>
      revision === undefined
        ? store.create(keys.leader, value, signal)
        : store.update(keys.leader, value, revision, signal),
    );
  }
}
