import { type ErrorCode, type ErrorRecord } from '../errors.ts';
import {
  type ReplayRecord,
  type RowFormat,
  type SqlParams,
  type SqlValue,
  type StampedWrite,
  type StatementResult,
  type WriteRequest,
  type WriteStamp,
} from '../model/sql-types.ts';

export { type ReplayRecord, type RowFormat, type SqlParams, type SqlValue, type StampedWrite };
export { type StatementResult, type WriteRequest, type WriteStamp };

export interface EngineQuery {
  readonly segment: string;
  /** The database file. A different `version` for the same file means that it was replaced. */
  readonly file: string;
  readonly version: string;
  /** True for the hot file of a lease held here: it is in WAL mode and changes. False for a copy: nothing may be written beside it. */
  readonly live: boolean;
  readonly sql: string;
  readonly params?: SqlParams | undefined;
  readonly format: RowFormat;
  /** Integers beyond 2^53 as bare digits, or as JSON strings. */
  readonly bigints: 'digits' | 'string';
  readonly deadlineMs: number;
  /** The answer ends after so many rows, `truncated` set. */
  readonly maxRows?: number | undefined;
}

export interface QuerySummary {
  readonly rows: number;
  /** There are more rows: `maxRows` was asked for, or the engine's own limit is reached and the format can say so (else SQL_TOO_LARGE). */
  readonly truncated: boolean;
}

export interface EngineAnswer {
  readonly columns: readonly string[];
  /** Whole when it was small and complete at once; else a stream that throws when it fails in the middle. Not reading on holds the query up. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
  /**
   * Of a stream: aborts when it has failed, with the error as its reason, also while nobody reads it. The error comes behind what has arrived:
   * who waits for a slow reader would not hear of it.
   */
  readonly failure?: AbortSignal | undefined;
  /**
   * Of a whole body: nobody looks at it any more, so its memory may be the next answer's. To be called at most once, and not before the body has left;
   * never to call it is safe, and costs a collection.
   */
  readonly release?: (() => void) | undefined;
  /** Valid once the body has ended well. */
  readonly summary: () => QuerySummary;
}

/** What became of one query; told once, when it has ended. Times in milliseconds since it was asked for, bytes of the body. */
export interface QueryRecord {
  readonly segment: string;
  readonly sql: string;
  /** It was sent to the process that answered it, or that it ended on. Undefined: it never was. */
  readonly startedMs?: number | undefined;
  /** What that process took to open the file, when it had to, and to prepare the statement. A duration. */
  readonly openMs?: number | undefined;
  /** The first chunk was there. */
  readonly firstMs?: number | undefined;
  readonly totalMs: number;
  readonly rows: number;
  readonly bytes: number;
  /** Why it failed; undefined when it did not. */
  readonly error?: ErrorCode | undefined;
}

export type WriteOutcome =
  | { readonly ok: true; readonly results: readonly StatementResult[] }
  | { readonly ok: false; readonly error: ErrorRecord };

export interface SnapshotFile {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The mark (`../model/applied-mark.ts`) of the moment that was copied. */
  readonly applied: number;
}

export interface SnapshotOptions {
  /** Put into the copy's header in place of the mark: the user's own value. Default: the copy keeps the mark. */
  readonly applicationId?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A segment that is open for writing, in a child process. Its calls run one after the other, in the order in which they were made; `snapshot` runs beside them.
 * When the child dies (deadline, memory, crash) every call ends with ENGINE_CHILD_DIED, ENGINE_DEADLINE or (never a commit) ENGINE_MEMORY, nothing of an uncommitted
 * group remains, and the session must be opened again.
 */
export interface WriteSession extends AsyncDisposable {
  /** Size of the database file when it was opened, bytes. */
  readonly sizeBytes: number;
  /** Of the SQLite that runs its SQL. A record is replayed by the same version only. */
  readonly sqliteVersion: string;
  /** Of a file that was made now with a mark: the schema's own value, which the mark stands in place of. */
  readonly applicationId?: number | undefined;
  /** Begins a transaction and runs each write in a savepoint of its own; a failed one is undone alone. The transaction stays open. */
  apply(writes: readonly StampedWrite[], deadlineMs: number): Promise<readonly WriteOutcome[]>;
  /** `sequence`: its mark is put into the file's header as `application_id`, in the same transaction. Default: the header stays as it is. */
  commit(at?: { readonly sequence: number }): Promise<void>;
  rollback(): Promise<void>;
  /** The header's `application_id`: the mark of the last committed sequence, or the user's own value before the first. */
  applied(): Promise<number>;
  /** Puts a value into the header's `application_id`, in a transaction of its own: a mark, or the user's own value again. */
  setApplicationId(value: number): Promise<void>;
  /**
   * Runs what was recorded, in one transaction, and commits it with the mark of the last record; a record without writes only moves the mark.
   * REPLAY_DIFFERS when a write fails, or does not count or number its rows as it is recorded; REPLAY_OTHER_SQLITE for a record of another
   * version. Nothing of the call remains then.
   */
  replay(records: readonly ReplayRecord[], deadlineMs: number): Promise<void>;
  /** A consistent copy of the committed state as a plain database file (no WAL), checked, synced. Writes may go on. */
  snapshot(to: string, options?: SnapshotOptions): Promise<SnapshotFile>;
  /** Resolves when the child has died under the session. */
  readonly lost: Promise<void>;
}

export interface WriterOpen {
  readonly segment: string;
  readonly file: string;
  /** SQL that makes a new file; not run when the file exists. SCHEMA_INVALID when it fails, and no file is left. */
  readonly schemaSql?: string | undefined;
  /** What that SQL sees of the clock and of chance. Default: the time of the child, and a seed of its own. */
  readonly schemaStamp?: Omit<WriteStamp, 'requestId'> | undefined;
  /** A new file has applied everything up to this sequence: its mark is in the header from the beginning. */
  readonly mark?: number | undefined;
  /** A journal has every write before it is committed here: then a commit need not be on disk, and the machine's death may take the last ones along. */
  readonly isJournaled?: boolean | undefined;
}

/** With `rows` it runs once for each of them, in their order: much cheaper than as many statements. */
export interface LocalStatement {
  readonly sql: string;
  readonly params?: SqlParams;
  readonly rows?: readonly (readonly SqlValue[])[];
}

/** A database of trough itself (catalogue, inventory), also kept out of the listening process. */
export interface LocalDatabase extends AsyncDisposable {
  /** All statements in one transaction, durable when it resolves. */
  run(statements: readonly LocalStatement[]): Promise<void>;
  /** Rows as arrays in column order; integers beyond 2^53 as bigint. */
  all(sql: string, params?: SqlParams): Promise<readonly (readonly SqlValue[])[]>;
}

/** Queries that have not ended: given to a process, and not yet given to one. */
export interface QueryLoad {
  readonly running: number;
  readonly waiting: number;
}

export interface EngineStats extends QueryLoad {
  readonly children: number;
  readonly openConnections: number;
  /** The same, by the processes for queries: those for quick ones first, each in its place. */
  readonly openConnectionsByChild: readonly number[];
  readonly queries: number;
  readonly failures: number;
  readonly kills: number;
  /** The same, by a word for each reason: `deadline`, `cancelled`, `unwanted`, `long` (it made way for others), `broken`. */
  readonly killsByReason: Readonly<Record<string, number>>;
  readonly restarts: number;
}

/**
 * All SQL of users runs behind this port, in child processes that a deadline kills.
 * Errors: SQL_INVALID, SQL_NOT_A_SELECT, SQL_REFUSED, SQL_FAILED, SQL_TOO_LARGE, SEGMENT_DAMAGED, SEGMENT_UNKNOWN (no such file),
 * ENGINE_DEADLINE, ENGINE_MEMORY, ENGINE_CANCELLED, ENGINE_POOL_FULL, ENGINE_CHILD_DIED, ENGINE_STOPPED.
 */
export interface Engine extends AsyncDisposable {
  query(query: EngineQuery, signal?: AbortSignal): Promise<EngineAnswer>;
  openWriter(options: WriterOpen, signal?: AbortSignal): Promise<WriteSession>;
  openDatabase(file: string, migrations: readonly string[]): Promise<LocalDatabase>;
  /** SCHEMA_INVALID with SQLite's own words when the script does not run on an empty database. */
  checkSchema(sql: string, signal?: AbortSignal): Promise<void>;
  /** SEGMENT_DAMAGED when the file is not a sound SQLite database. */
  verify(file: string, signal?: AbortSignal): Promise<void>;
  stats(): EngineStats;
  /** Of one segment, now. */
  load(segment: string): QueryLoad;
}
