/** What went wrong, in nine kinds. `busy`: this node has too much to do; `crowded`: that one segment has. `unknown`: it may have been done, so it must not simply be repeated. Edges map the kind to an HTTP status, a NATS header or an exit code; never the code. */
export type ErrorKind = 'input' | 'large' | 'missing' | 'conflict' | 'busy' | 'crowded' | 'unknown' | 'late' | 'broken';

/** Every error that trough reports, by its stable code. README.md has the same table with what to do. */
export const ERRORS = {
  // what was asked
  SEGMENT_ID_INVALID: 'input',
  SEGMENT_UNKNOWN: 'missing',
  SEGMENT_NOT_WRITABLE: 'conflict',
  SEGMENT_LEASED: 'conflict',
  SEGMENT_COLD_TIER: 'input',
  SEGMENT_HOLDER_DOWN: 'busy',
  SEGMENT_DAMAGED: 'broken',
  SCHEMA_UNKNOWN: 'missing',
  SCHEMA_INVALID: 'input',
  REQUEST_INVALID: 'input',
  REQUEST_TOO_LARGE: 'large',
  ROUTE_UNKNOWN: 'missing',
  METHOD_NOT_ALLOWED: 'input',
  SQL_INVALID: 'input',
  SQL_NOT_A_SELECT: 'input',
  SQL_REFUSED: 'input',
  SQL_FAILED: 'input',
  SQL_TOO_LARGE: 'large',
  // engine
  ENGINE_DEADLINE: 'late',
  ENGINE_MEMORY: 'large',
  ENGINE_CANCELLED: 'late',
  ENGINE_POOL_FULL: 'busy',
  SEGMENT_QUEUE_FULL: 'crowded',
  ENGINE_CHILD_DIED: 'broken',
  ENGINE_STOPPED: 'busy',
  // writer
  WRITE_QUEUE_FULL: 'busy',
  WRITE_OUTCOME_UNKNOWN: 'unknown',
  REPLAY_DIFFERS: 'broken',
  REPLAY_OTHER_SQLITE: 'broken',
  // bus
  BUS_UNREACHABLE: 'busy',
  BUS_NO_RESPONDERS: 'busy',
  BUS_TIMEOUT: 'late',
  BUS_ANSWER_BROKEN: 'broken',
  BUS_ASKER_GONE: 'late',
  NATS_SERVER_MISSING: 'broken',
  NATS_SERVER_TOO_OLD: 'broken',
  NATS_SERVER_FAILED: 'broken',
  // metadata
  METADATA_CONFLICT: 'conflict',
  METADATA_UNREACHABLE: 'busy',
  METADATA_BROKEN: 'broken',
  METADATA_LOST: 'busy',
  // journal
  JOURNAL_FENCED: 'conflict',
  JOURNAL_FULL: 'busy',
  JOURNAL_BUSY: 'busy',
  JOURNAL_TOO_LARGE: 'large',
  JOURNAL_UNKNOWN: 'unknown',
  JOURNAL_UNREACHABLE: 'busy',
  JOURNAL_LOST: 'broken',
  JOURNAL_RECORD_UNREADABLE: 'broken',
  // feed of changes
  FEED_NO_JOURNAL: 'conflict',
  FEED_AHEAD: 'input',
  FEED_FULL: 'busy',
  // cold storage
  COLD_MISSING: 'missing',
  COLD_COPY_TORN: 'broken',
  COLD_CHANGED: 'conflict',
  COLD_FAILED: 'broken',
  // cluster
  LEADER_UNKNOWN: 'busy',
  LEADER_DEPOSED: 'busy',
  NODE_UNAVAILABLE: 'busy',
  NODE_NAME_TAKEN: 'conflict',
  NODE_UNKNOWN: 'missing',
  STOPPING: 'busy',
  // this process
  CONFIG_INVALID: 'input',
  DATA_DIRECTORY_IN_USE: 'conflict',
  DATA_DIRECTORY_UNUSABLE: 'broken',
  DISK_FULL: 'broken',
  PORT_IN_USE: 'conflict',
  MAILBOX_FULL: 'busy',
  IMPORT_FAILED: 'input',
  INTERNAL: 'broken',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;
export type ErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

/** The form in which an error crosses a process or network border. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly context?: ErrorContext | undefined;
}

/** The one error class: a stable code, a sentence for a person, values for a program, and the cause. */
export class TroughError extends Error {
  override readonly name = 'TroughError';
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, context: this.context };
  }

  /** The inverse of `toRecord`; a code that this version does not know becomes INTERNAL and is kept in the context. */
  static fromRecord(record: { code: string; message: string; context?: ErrorContext | undefined }): TroughError {
    if (isErrorCode(record.code)) return new TroughError(record.code, record.message, record.context);
    return new TroughError('INTERNAL', record.message, { ...record.context, foreignCode: record.code });
  }

  /** Any thrown value as a TroughError; one that is not ours becomes INTERNAL with the value as its cause. */
  static from(thrown: unknown, code: ErrorCode = 'INTERNAL'): TroughError {
    if (thrown instanceof TroughError) return thrown;
    return new TroughError(code, thrown instanceof Error ? thrown.message : String(thrown), {}, thrown);
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** Ends a switch over a union; a new member breaks the build here. */
export function unreachable(value: never): never {
  throw new TroughError('INTERNAL', `not handled: ${JSON.stringify(value)}`);
}
