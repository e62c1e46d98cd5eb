import { type Creation, type PublishedState, type SegmentRecord } from '../../messages/journal-record.ts';
import { appliedMark } from '../../model/applied-mark.ts';
import { type StatementResult } from '../../model/sql-types.ts';
import { ANSWERS_KEPT_MS, type SegmentChain, type StoredRecord } from './segment-chain.ts';

export interface KnownAnswer {
  readonly requestId: string;
  readonly sequence: number;
  readonly results: readonly StatementResult[];
}

interface Claim {
  readonly sequence: number;
  readonly node: string;
}

interface Young {
  readonly timeMs: number;
  readonly answers: readonly KnownAnswer[];
}

/** What a claimant must know of a segment's records before it opens the segment. What stands before a shredding is as if it had never been. */
export class ChainSurvey {
  /** States that may be in cold storage, the newest first. */
  states: readonly PublishedState[] = [];
  /** How the segment began, when its records reach back so far. */
  creation: { readonly sequence: number; readonly creation: Creation } | undefined;
  /** Of the last record with writes; 0: there is none. */
  lastData = 0;
  /** There are writes behind the last time that the segment was closed. */
  hasOpenData = false;
  /** Of these, as the journal has them. */
  openBytes = 0;
  /** The newest record whose mark is the one asked for, if a file that has it can be gone on from. */
  marked: number | undefined;
  /**
   * No upload of another can be under way: nobody had claimed the segment before, or the last who did wrote to this very file afterwards, and so had
   * taken uploads away. A claim alone says nothing of them: its process may have ended before, or be another machine's that goes by the same name.
   */
  isOwnSuccessor = false;
  readonly #mark: number | undefined;
  #begin: { readonly sequence: number; readonly previous: number } | undefined;
  /** The last record that was read. */
  #end = 0;
  #claims: { readonly newest?: Claim | undefined; readonly before?: Claim | undefined } = {};
  #young: Young[] = [];

  private constructor(mark: number | undefined) {
    this.#mark = mark;
  }

  /** Reads the chain once. */
  static async of(chain: SegmentChain, mark: number | undefined, signal?: AbortSignal): Promise<ChainSurvey> {
    const survey = new ChainSurvey(mark);
    await survey.goOn(chain, signal);
    return survey;
  }

  /**
   * Reads what has come since, or all when nothing was read. False: what comes next does not follow what was read, since that was purged meanwhile;
   * nothing that is said here counts then.
   */
  async goOn(chain: SegmentChain, signal?: AbortSignal): Promise<boolean> {
    const from = this.#end;
    for await (const { stored, record } of chain.read(from + 1, signal)) {
      const { sequence } = stored;
      if (this.#end === from && from > 0 && record.previous !== from) return false;
      this.#begin ??= { sequence, previous: record.previous };
      this.#end = sequence;
      this.#take(stored, record);
      if (record.kind === 'claim')
        this.#claims = { newest: { sequence, node: record.node }, before: this.#claims.newest };
    }
    const isFirst = this.#begin?.sequence === chain.last && this.#begin.previous === 0;
    const claim = this.#claims.newest?.sequence === chain.last ? this.#claims.before : this.#claims.newest;
    this.isOwnSuccessor = isFirst || (claim?.node === chain.deps.self.node && (this.marked ?? 0) > claim.sequence);
    return true;
  }

  /** Of requests that may come again. */
  get answers(): readonly KnownAnswer[] {
    return this.#young.flatMap(({ answers }) => answers);
  }

  /** Whether a file with that mark can be gone on from. */
  isFor(mark: number | undefined): boolean {
    return this.marked !== undefined && appliedMark(this.marked) === mark;
  }

  /** Nothing that came behind this sequence is missing. */
  follows(sequence: number): boolean {
    return this.#begin !== undefined && this.#begin.previous <= sequence;
  }

  #take(stored: StoredRecord, record: SegmentRecord): void {
    const { sequence } = stored;
    switch (record.kind) {
      case 'shredded':
        this.#forget();
        return;
      case 'closed':
        this.states = [record.state, ...this.states];
        this.hasOpenData = false;
        this.openBytes = 0;
        // Whatever is in cold storage by now is the segment: a file that was kept may not be.
        this.marked = undefined;
        return;
      case 'claim':
        if (record.creation === undefined) break;
        this.creation = { sequence, creation: record.creation };
        this.marked = undefined;
        break;
      case 'intent':
        this.states = [record.state, ...this.states];
        if (record.adopted) this.marked = undefined;
        break;
      case 'data':
        this.lastData = sequence;
        this.hasOpenData = true;
        this.openBytes += stored.body.length;
        this.#remember(stored, record.writes);
        break;
    }
    if (this.#mark === appliedMark(sequence)) this.marked = sequence;
  }

  #remember({ sequence, timeMs }: StoredRecord, writes: Extract<SegmentRecord, { kind: 'data' }>['writes']): void {
    while ((this.#young[0]?.timeMs ?? Infinity) < timeMs - ANSWERS_KEPT_MS) this.#young.shift();
    const named = writes.filter(({ requestId }) => requestId !== '');
    if (named.length === 0) return;
    this.#young.push({ timeMs, answers: named.map(({ requestId, results }) => ({ requestId, sequence, results })) });
  }

  #forget(): void {
    this.states = [];
    this.creation = undefined;
    this.lastData = 0;
    this.hasOpenData = false;
    this.openBytes = 0;
    this.marked = undefined;
    this.#young = [];
  }
}
