import { type ErrorCode, TroughError } from '../errors.ts';
import { AnswerBody } from './answer-body.ts';
import { type EngineAnswer, type EngineQuery, type QueryRecord, type QuerySummary } from './engine.ts';
import { type QueryMessage } from './messages.ts';
import { packParams } from './wire-values.ts';

interface CallEvents {
  /** The asker has its deadline behind it, or does not want the answer any more. */
  readonly onGivenUp: (call: QueryCall, reason: 'deadline' | 'cancelled') => void;
  readonly onCredit: (call: QueryCall, chunks: number) => void;
  /** Once, when the asker has all or its error. */
  readonly onEnded: (call: QueryCall, error?: ErrorCode) => void;
}

/** Node runs a timer that is set for longer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Credits are given back in handfuls. */
const CREDITS_AT_ONCE = 4;

/** One query from the asker's side: settles once, whatever becomes of the children that run it. */
export class QueryCall {
  readonly query: EngineQuery;
  readonly payload: string;
  readonly answer: Promise<EngineAnswer>;
  /** Children that it was given to. */
  attempts = 0;
  /** What the child took to open and prepare, milliseconds, as soon as it has said so. */
  openMs: number | undefined;
  state: 'running' | 'streaming' | 'ended' = 'running';
  readonly #events: CallEvents;
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

  constructor(query: EngineQuery, signal: AbortSignal | undefined, events: CallEvents) {
    this.query = query;
    this.payload = JSON.stringify(messageOf(query));
    this.#events = events;
    this.#signal = signal;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(this.#onDeadline, Math.min(query.deadlineMs, LONGEST_TIMER_MS));
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** It is given to a child. */
  started(): void {
    this.attempts += 1;
    this.#startedAt = performance.now();
  }

  whole(columns: readonly string[], body: Uint8Array, summary: QuerySummary): void {
    if (!this.#end()) return;
    this.#firstAt = this.#endedAt;
    this.#bytes = body.length;
    this.#summary = summary;
    this.#resolve({ columns, body, summary: () => summary });
    this.#events.onEnded(this);
  }

  begin(columns: readonly string[], chunk: Uint8Array): void {
    if (this.state !== 'running') return;
    this.state = 'streaming';
    this.#firstAt = performance.now();
    this.#bytes = chunk.length;
    const body = new AnswerBody({ onTaken: this.#onTaken, onLeft: this.#onAbort });
    body.push(chunk);
    this.#body = body;
    this.#resolve({ columns, body, summary: () => this.#summaryOrThrow() });
  }

  chunk(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#body?.push(bytes);
  }

  finish(summary: QuerySummary): void {
    if (!this.#end()) return;
    this.#summary = summary;
    this.#body?.end();
    this.#events.onEnded(this);
  }

  fail(error: TroughError): void {
    if (!this.#end()) return;
    if (this.#body === undefined) this.#reject(error);
    else this.#body.fail(error);
    this.#events.onEnded(this, error.code);
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

  readonly #onTaken = (): void => {
    this.#taken += 1;
    if (this.state !== 'streaming' || this.#taken % CREDITS_AT_ONCE !== 0) return;
    this.#events.onCredit(this, CREDITS_AT_ONCE);
  };

  readonly #onDeadline = (): void => {
    const { deadlineMs, segment } = this.query;
    this.fail(
      new TroughError('ENGINE_DEADLINE', `the query ran longer than ${String(deadlineMs)} ms`, { segment, deadlineMs }),
    );
    this.#events.onGivenUp(this, 'deadline');
  };

  readonly #onAbort = (): void => {
    this.fail(new TroughError('ENGINE_CANCELLED', 'the query was cancelled', { segment: this.query.segment }));
    this.#events.onGivenUp(this, 'cancelled');
  };
}

function messageOf({ file, version, live, sql, params, format, bigints, maxRows }: EngineQuery): QueryMessage {
  const packed = params === undefined ? undefined : packParams(params);
  return { file, version, live, sql, params: packed, format, bigints, maxRows };
}
