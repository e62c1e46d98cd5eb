import { type ErrorCode, TroughError } from '../errors.ts';
import { AnswerBody } from './answer-body.ts';
import {
  type EngineAnswer,
  type EngineQuery,
  type QueryRecord,
  type QuerySummary,
  type SqlParams,
  type SqlValue,
} from './engine.ts';
import { type QueryMessage } from './messages.ts';
import { creditsFor } from './protocol.ts';
import { packParams } from './wire-values.ts';

/** Whoever has a query before it: a child, or a queue. */
export interface CallPlace {
  /** The asker has its deadline behind it, or does not want the answer any more. */
  giveUp(call: QueryCall, reason: 'deadline' | 'cancelled'): void;
  /** The reader of a stream has taken chunks out. */
  credit(call: QueryCall, chunks: number): void;
}

/** What is asked of one segment at this moment. */
export interface SegmentLoad {
  readonly segment: string;
  /** Which process its queries go to when they can. */
  readonly home: number;
  /** Given to processes and not ended. */
  running: number;
  /** First come, first served. */
  waiting: Set<QueryCall>;
  /** What those hold. */
  waitingBytes: number;
}

/** Where a query waited, and is counted as running until it has left its child. */
export interface CallQueue {
  ended(load: SegmentLoad): void;
}

/** Whoever has taken a query on. */
export interface CallOwner {
  /** Its answer is a long one: why it may not begin. */
  refuseStream(call: QueryCall): TroughError | undefined;
  /** Told once, when the asker has all or its error. */
  ended(call: QueryCall, error?: ErrorCode): void;
}

/** Node runs a timer that is set for longer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Credits are given back in handfuls. */
const CREDITS_AT_ONCE = 4;

/** One query from the asker's side: settles once, whatever becomes of the children that run it. */
export class QueryCall {
  readonly query: EngineQuery;
  /** What it holds while it waits, about: its SQL and its values. */
  readonly sizeBytes: number;
  readonly answer: Promise<EngineAnswer>;
  /** Children that it was given to, but for those that gave it back. */
  attempts = 0;
  /** How often a child gave it back. */
  moves = 0;
  place: CallPlace | undefined;
  /** Its number at that child. */
  sentId = 0;
  queue: CallQueue | undefined;
  load: SegmentLoad | undefined;
  /** What the child took to open and prepare, milliseconds, as soon as it has said so. */
  openMs: number | undefined;
  state: 'running' | 'streaming' | 'ended' = 'running';
  readonly #owner: CallOwner;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout;
  #resolve!: (answer: EngineAnswer) => void;
  #reject!: (error: TroughError) => void;
  #body: AnswerBody | undefined;
  #summary: QuerySummary | undefined;
  #taken = 0;
  readonly #askedAt = performance.now();
  #startedAt: number | undefined;
  #firstAt: number | undefined;
  #endedAt = 0;
  #bytes = 0;

  constructor(query: EngineQuery, signal: AbortSignal | undefined, owner: CallOwner) {
    this.query = query;
    this.sizeBytes = query.sql.length + (query.params === undefined ? 0 : sizeOf(query.params));
    this.#owner = owner;
    this.#signal = signal;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(this.#onDeadline, Math.min(query.deadlineMs, LONGEST_TIMER_MS));
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** For a child; made when it is its turn, as it is larger than what it is made from. */
  get payload(): string {
    return JSON.stringify(messageOf(this.query));
  }

  /** It is given to a child. */
  given(place: CallPlace, sentId: number, now: number): void {
    this.attempts += 1;
    this.place = place;
    this.sentId = sentId;
    this.#startedAt = now;
  }

  /** It has left its child, whichever way. */
  left(): void {
    this.place = undefined;
    if (this.load !== undefined) this.queue?.ended(this.load);
  }

  /** It was taken back from a child that was busy with another one. */
  moved(): void {
    this.attempts -= 1;
    this.moves += 1;
  }

  whole(columns: readonly string[], body: Uint8Array, summary: QuerySummary, release: () => void): void {
    if (!this.#end()) return;
    this.#firstAt = this.#endedAt;
    this.#bytes = body.length;
    this.#summary = summary;
    this.#resolve({ columns, body, summary: () => summary, release });
    this.#owner.ended(this);
  }

  begin(columns: readonly string[], chunk: Uint8Array): void {
    if (this.state !== 'running') return;
    const refusal = this.#owner.refuseStream(this);
    if (refusal !== undefined) {
      this.fail(refusal);
      this.place?.giveUp(this, 'cancelled');
      return;
    }
    this.state = 'streaming';
    this.#firstAt = performance.now();
    this.#bytes = chunk.length;
    const body = new AnswerBody({
      onTaken: (bytes) => {
        this.#credit(creditsFor(bytes));
      },
      onLeft: () => {
        this.cancel();
      },
    });
    body.push(chunk);
    this.#body = body;
    this.#resolve({ columns, body, failure: body.failure, summary: () => this.#summaryOrThrow() });
  }

  chunk(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#body?.push(bytes);
  }

  finish(summary: QuerySummary): void {
    if (!this.#end()) return;
    this.#summary = summary;
    this.#body?.end();
    this.#owner.ended(this);
  }

  fail(error: TroughError): void {
    if (!this.#end()) return;
    if (this.#body === undefined) this.#reject(error);
    else this.#body.fail(error);
    this.#owner.ended(this, error.code);
  }

  /** What became of it, when it has ended. */
  record(error: ErrorCode | undefined): QueryRecord {
    const { segment, sql } = this.query;
    const since = (at: number | undefined): number | undefined => (at === undefined ? undefined : at - this.#askedAt);
    return {
      segment,
      sql,
      startedMs: since(this.#startedAt),
      openMs: this.openMs,
      firstMs: since(this.#firstAt),
      totalMs: this.#endedAt - this.#askedAt,
      rows: this.#summary?.rows ?? 0,
      bytes: this.#bytes,
      error,
    };
  }

  #end(): boolean {
    if (this.state === 'ended') return false;
    this.state = 'ended';
    this.#endedAt = performance.now();
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }

  #summaryOrThrow(): QuerySummary {
    if (this.#summary === undefined) throw new TroughError('INTERNAL', 'the answer has not been read to its end');
    return this.#summary;
  }

  #credit(taken: number): void {
    this.#taken += taken;
    if (this.state !== 'streaming' || this.#taken < CREDITS_AT_ONCE) return;
    this.place?.credit(this, this.#taken);
    this.#taken = 0;
  }

  // As fields, not made in the constructor: there they would hold its arguments as well, and a listening process under load had half as much
  // memory again and a fifth more work for it.
  readonly #onDeadline = (): void => {
    const { deadlineMs, segment } = this.query;
    this.fail(
      new TroughError('ENGINE_DEADLINE', `the query ran longer than ${String(deadlineMs)} ms`, { segment, deadlineMs }),
    );
    this.place?.giveUp(this, 'deadline');
  };

  readonly #onAbort = (): void => {
    this.cancel();
  };

  /** Its asker does not want the answer any more. */
  cancel(): void {
    this.fail(new TroughError('ENGINE_CANCELLED', 'the query was cancelled', { segment: this.query.segment }));
    this.place?.giveUp(this, 'cancelled');
  }
}

function messageOf({ file, version, live, sql, params, format, bigints, maxRows }: EngineQuery): QueryMessage {
  const packed = params === undefined ? undefined : packParams(params);
  return { file, version, live, sql, params: packed, format, bigints, maxRows };
}

const PLAIN_VALUE_BYTES = 8;

function sizeOf(params: SqlParams): number {
  let bytes = 0;
  for (const value of Object.values(params) as readonly SqlValue[]) {
    bytes += typeof value === 'string' || value instanceof Uint8Array ? value.length : PLAIN_VALUE_BYTES;
  }
  return bytes;
}
