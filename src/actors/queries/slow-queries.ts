import { type QueryRecord } from '../../engine/engine.ts';
import { type ErrorCode } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type SlowQueriesAnswer, type SlowQuery } from '../../messages/query-reports.ts';
import { type Clock } from '../../runtime/clock.ts';

export interface SlowQueriesDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** What counts as slow; 0: only queries that were killed. */
  readonly slowMs: number;
}

/** Characters of the SQL. */
const LONGEST_SQL = 2_000;
const MOST_RECENT = 100;
const MOST_SLOWEST = 50;
const SLOWEST_FOR_MS = 3_600_000;
/** So many lines in so long; the rest is counted. At most some 60 MB a day. */
const MOST_LINES = 20;
const LINES_IN_MS = 60_000;
/** It ran until it was killed, or until its process was. */
const KILLED: ReadonlySet<ErrorCode> = new Set(['ENGINE_DEADLINE', 'ENGINE_MEMORY', 'ENGINE_CHILD_DIED']);

/** The slow queries of this node, and those that were killed: a bounded number to look at, and a line in the log for each as far as that is not flooded. */
export class SlowQueries implements Disposable {
  readonly #deps: SlowQueriesDeps;
  /** Oldest first. */
  readonly #recent: SlowQuery[] = [];
  /** The slowest first. */
  #slowest: SlowQuery[] = [];
  #lines = 0;
  #leftOut = 0;
  #endWindow: (() => void) | undefined;
  /** All since the start. */
  count = 0;

  constructor(deps: SlowQueriesDeps) {
    this.#deps = deps;
  }

  get slowMs(): number {
    return this.#deps.slowMs;
  }

  isSlow({ totalMs, error }: QueryRecord): boolean {
    const { slowMs } = this;
    return (slowMs > 0 && totalMs >= slowMs) || (error !== undefined && KILLED.has(error));
  }

  add(record: QueryRecord): SlowQuery {
    const slow = describe(record, this.#deps.clock.now());
    this.count += 1;
    this.#recent.push(slow);
    if (this.#recent.length > MOST_RECENT) this.#recent.shift();
    this.#rank(slow);
    this.#write(slow);
    return slow;
  }

  report(): Omit<SlowQueriesAnswer, 'node'> {
    this.#dropOld();
    return { slowMs: this.slowMs, recent: this.#recent.toReversed(), slowest: [...this.#slowest] };
  }

  /** Says what was left out of the log so far. */
  [Symbol.dispose](): void {
    this.#endWindow?.();
    this.#closeWindow();
  }

  #rank(slow: SlowQuery): void {
    this.#dropOld();
    const before = this.#slowest.findIndex(({ totalMs }) => totalMs < slow.totalMs);
    this.#slowest.splice(before === -1 ? this.#slowest.length : before, 0, slow);
    this.#slowest.length = Math.min(this.#slowest.length, MOST_SLOWEST);
  }

  #dropOld(): void {
    const since = this.#deps.clock.now() - SLOWEST_FOR_MS;
    this.#slowest = this.#slowest.filter(({ endedMs }) => endedMs > since);
  }

  #write(slow: SlowQuery): void {
    const { clock, log } = this.#deps;
    this.#endWindow ??= clock.after(LINES_IN_MS, () => {
      this.#closeWindow();
    });
    if (this.#lines >= MOST_LINES) {
      this.#leftOut += 1;
      return;
    }
    this.#lines += 1;
    log.warn(slow, 'slow query');
  }

  #closeWindow(): void {
    const leftOut = this.#leftOut;
    this.#endWindow = undefined;
    this.#lines = 0;
    this.#leftOut = 0;
    if (leftOut > 0) this.#deps.log.warn({ leftOut, forMs: LINES_IN_MS }, 'slow queries were left out of the log');
  }
}

function describe(record: QueryRecord, endedMs: number): SlowQuery {
  const { segment, sql, startedMs, openMs, firstMs, totalMs, rows, bytes, error } = record;
  return {
    segment,
    endedMs,
    sql: sql.length > LONGEST_SQL ? copyOfStart(sql) : sql,
    cut: sql.length > LONGEST_SQL,
    queueMs: rounded(startedMs),
    openMs: rounded(openMs),
    firstMs: rounded(firstMs),
    totalMs: rounded(totalMs) ?? 0,
    rows,
    bytes,
    outcome: error ?? 'ok',
  };
}

/** A slice of a string keeps all of it in memory, be it 64 MB. */
function copyOfStart(sql: string): string {
  return Buffer.from(sql.slice(0, LONGEST_SQL), 'utf8').toString('utf8');
}

/** To the microsecond. */
function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 1_000) / 1_000;
}
