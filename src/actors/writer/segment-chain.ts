import { TroughError } from '../../errors.ts';
import { type Journal, type JournalKey, type JournalRecord } from '../../journal/journal.ts';
import { decodeRecord, encodeRecord, type SegmentRecord } from '../../messages/journal-record.ts';
import { type Clock } from '../../runtime/clock.ts';

/** As the journal has it. */
export type StoredRecord = Omit<JournalRecord, 'id'>;
type WithoutHead<T> = T extends unknown ? Omit<T, 'epoch' | 'previous'> : never;
export type ChainRecord = WithoutHead<SegmentRecord>;

export interface SegmentChainDeps {
  readonly journal: Journal;
  readonly key: JournalKey;
  readonly epoch: number;
  readonly self: { readonly node: string; readonly session: string };
  readonly clock: Clock;
  /** Random digits, others at each call. */
  readonly seed: () => string;
}

export interface ClaimOptions {
  readonly creation: Extract<ChainRecord, { kind: 'claim' }>['creation'];
  readonly isNew?: boolean;
}

/** Request ids are kept for so long: what is younger is not purged. */
export const ANSWERS_KEPT_MS = 120_000;
const CHECKPOINT_MS = 1_000;

/**
 * A segment's records in the journal, as the one who has claimed them appends: each expects the one before, so whoever is not the last
 * claimant any more is refused by the journal itself. One append at a time.
 */
export class SegmentChain {
  readonly deps: SegmentChainDeps;
  #last: number;
  #appended = 0;
  #isClaimed = true;
  /** What was appended last, and when, about once a second. */
  #checkpoints: { readonly sequence: number; readonly at: number }[] = [];
  #oldSequence = 0;
  /** The claim with which the key began: as long as it is the last record it is the only one. */
  #beginning: { readonly stored: StoredRecord; readonly record: SegmentRecord } | undefined;

  private constructor(deps: SegmentChainDeps, last: number) {
    this.deps = deps;
    this.#last = last;
  }

  /** To read what is there now, for somebody who has not claimed it: nothing can be appended. undefined: there is nothing. */
  static async unclaimed(deps: SegmentChainDeps, signal?: AbortSignal): Promise<SegmentChain | undefined> {
    const last = await deps.journal.last(deps.key, signal);
    if (last === undefined) return undefined;
    const chain = new SegmentChain(deps, last.sequence);
    chain.#isClaimed = false;
    return chain;
  }

  /**
   * Appends a claim right behind the key's last record, whatever that is, unless it has this epoch or a higher one: then JOURNAL_FENCED with
   * `epoch` in its context. Nobody with a lower epoch appends anything from then on. `creation`: what a segment that has no records begins with. Without one
   * nothing goes on from a shredding: SEGMENT_UNKNOWN with `shredded` in its context.
   * `isNew`: it most likely has none, so that is tried before anybody looks; the journal refuses it where there is one.
   */
  static async claim(
    deps: SegmentChainDeps,
    { creation, isNew = false }: ClaimOptions,
    signal?: AbortSignal,
  ): Promise<SegmentChain> {
    const { journal, key, epoch, self } = deps;
    let last = isNew ? undefined : await journal.last(key, signal);
    for (;;) {
      const record = last === undefined ? undefined : decodeRecord(last.body);
      if (record !== undefined && record.epoch >= epoch) throw overtaken(deps, record.epoch);
      const chain = new SegmentChain(deps, last?.sequence ?? 0);
      const begins = record === undefined || record.kind === 'shredded';
      if (record?.kind === 'shredded' && creation === undefined) throw shredded(deps);
      try {
        await chain.#claim({ kind: 'claim', ...self, creation: begins ? creation : undefined }, signal);
        return chain;
      } catch (error) {
        // Somebody was quicker, or was there before: what stands there now is looked at.
        if (TroughError.from(error).code !== 'JOURNAL_FENCED') throw error;
        last = await journal.last(key, signal);
      }
    }
  }

  async #claim(claim: ChainRecord, signal: AbortSignal | undefined): Promise<void> {
    const previous = this.#last;
    const body = this.encode(claim);
    const sequence = await this.appendEncoded(body, true, signal);
    if (previous > 0) return;
    const timeMs = this.deps.clock.now();
    this.#beginning = { stored: { sequence, body, timeMs }, record: decodeRecord(body) };
  }

  /** The sequence of the last record that is known to be in the journal. */
  get last(): number {
    return this.#last;
  }

  /** Everything up to here is older than request ids are kept. 0: nothing is known to be. */
  get oldSequence(): number {
    const { clock } = this.deps;
    const limit = clock.monotonic() - ANSWERS_KEPT_MS;
    while ((this.#checkpoints[0]?.at ?? Infinity) <= limit)
      this.#oldSequence = this.#checkpoints.shift()?.sequence ?? 0;
    return this.#oldSequence;
  }

  /** The errors of `Journal.append`. After JOURNAL_UNKNOWN the chain must be claimed anew. */
  async append(record: ChainRecord, signal?: AbortSignal): Promise<number> {
    return this.appendEncoded(this.encode(record), record.kind !== 'data', signal);
  }

  encode(record: ChainRecord): Uint8Array {
    return encodeRecord({ ...record, epoch: this.deps.epoch, previous: this.#last });
  }

  /** What `encode` made, with nothing appended since. */
  async appendEncoded(body: Uint8Array, reserved: boolean, signal?: AbortSignal): Promise<number> {
    const { journal, key, epoch, seed } = this.deps;
    if (!this.#isClaimed) throw new TroughError('INTERNAL', `the journal of ${key.name} is only read here`);
    this.#appended += 1;
    const id = `${String(epoch)}-${String(this.#appended)}-${seed()}`;
    this.#last = await journal.append(key, { id, body, reserved }, this.#last, signal);
    this.#noteTime();
    return this.#last;
  }

  /** All of them up to the last, from a sequence on, decoded. JOURNAL_LOST when one does not follow the one before. */
  async *read(from: number, signal?: AbortSignal): AsyncIterable<{ stored: StoredRecord; record: SegmentRecord }> {
    const { journal, key } = this.deps;
    if (this.#beginning?.stored.sequence === this.#last) {
      if (from <= this.#last) yield this.#beginning;
      return;
    }
    let before: number | undefined;
    for await (const stored of journal.read(key, { from, through: this.#last }, signal)) {
      const record = decodeRecord(stored.body);
      if (before !== undefined && record.previous !== before) throw torn(key, before, stored.sequence);
      before = stored.sequence;
      yield { stored, record };
    }
  }

  #noteTime(): void {
    const at = this.deps.clock.monotonic();
    const newest = this.#checkpoints.at(-1);
    if (newest === undefined || at - newest.at >= CHECKPOINT_MS) this.#checkpoints.push({ sequence: this.#last, at });
  }
}

function overtaken({ key, epoch }: SegmentChainDeps, found: number): TroughError {
  const message = `the journal of ${key.name} has epoch ${String(found)} already; this lease is of epoch ${String(epoch)}`;
  return new TroughError('JOURNAL_FENCED', message, { key: key.name, epoch: found });
}

function shredded({ key: { name } }: SegmentChainDeps): TroughError {
  return new TroughError('SEGMENT_UNKNOWN', `'${name}' was shredded`, { segment: name, shredded: true });
}

function torn({ name, stream }: JournalKey, before: number, next: number): TroughError {
  const message = `the journal of ${name} has nothing between ${String(before)} and ${String(next)}, where something was`;
  return new TroughError('JOURNAL_LOST', message, { key: name, stream });
}
