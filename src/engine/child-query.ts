import { TroughError } from '../errors.ts';
import { type SqlValue } from '../model/sql-types.ts';
import { AnswerBudget, type AnswerLimits } from './answer-budget.ts';
import { type Connection, type Connections } from './child-connections.ts';
import { bindings, sqlError } from './child-database.ts';
import { LONGEST_PACKED_BYTES } from './child-packed.ts';
import { type PreparedQuery } from './child-prepared.ts';
import { type QueryMessage } from './messages.ts';
import { type RowWriter } from './row-format.ts';
import { unpackParams } from './wire-values.ts';

/** A chunk ends at the row that passes this many UTF-16 units. The first one is longer: most answers are whole with it, and cost no stream. */
const CHUNK_CHARACTERS = 64 * 1024;
const FIRST_CHUNK_CHARACTERS = 256 * 1024;
/** From here on it pays to have all rows put together by SQLite. */
const PACK_FROM_ROWS = 24;
/** To the end of the first chunk, milliseconds: so long others may wait for their answers to leave, without being taken for what runs. */
const QUICK_MS = 2;

export interface Chunk {
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** One running query in a child: gives its answer chunk by chunk, and holds its connection until it has ended. */
export class RunningQuery {
  readonly #message: QueryMessage;
  readonly #budget: AnswerBudget;
  readonly #connections: Connections;
  readonly #connection: Connection;
  readonly #prepared: PreparedQuery;
  readonly #values: readonly unknown[];
  readonly #rows: Iterator<SqlValue[]>;
  #ahead: IteratorResult<SqlValue[]>;
  #writer: RowWriter;
  readonly #startedAt: number;
  #isOpen = true;
  #bytes = 0;
  /** To open the file, when it was not, and to prepare the statement, when it was not; microseconds. */
  readonly openMicros: number;
  rows = 0;
  truncated = false;
  /** SQLite has put the rows together. */
  isPacked = false;

  /** Runs to the first row; what fails until there is thrown, and nothing stays open. */
  constructor(message: QueryMessage, connections: Connections, limits: AnswerLimits = {}) {
    this.#message = message;
    this.#budget = new AnswerBudget(limits, message.format, message.maxRows);
    this.#connections = connections;
    const startedAt = performance.now();
    this.#connection = connections.get(message.file, message.version, message.live);
    const { prepared, lifted } = this.#prepare();
    this.#prepared = prepared;
    this.#startedAt = performance.now();
    this.openMicros = Math.round((this.#startedAt - startedAt) * 1_000);
    if (!prepared.isQuick) connections.beforeUnknown();
    prepared.isQuick = false;
    this.#connection.use();
    try {
      this.#values = lifted ?? bindings(prepared.parsed, message.params && unpackParams(message.params));
      this.#rows = prepared.statement.iterate(...this.#values);
      this.#ahead = this.#rows.next();
      if (message.live) prepared.readColumns();
      this.#writer = prepared.writer(message.format, message.bigints);
    } catch (error) {
      this.close();
      throw this.#failure(error, 'run');
    }
  }

  get columnsJson(): Buffer {
    return this.#prepared.columnsJson;
  }

  /** The answer is a long one: it goes on beside others. */
  becomeStream(): void {
    if (this.#message.live) this.#connections.detach(this.#message.file, this.#connection);
  }

  next(): Chunk {
    try {
      const isFirst = this.rows === 0;
      const bytes = this.#nextBytes();
      if (isFirst) this.#prepared.isQuick = performance.now() - this.#startedAt < QUICK_MS;
      const isLast = this.#ahead.done === true || this.truncated;
      if (isLast) this.close();
      return { bytes, isLast };
    } catch (error) {
      this.close();
      throw this.#failure(error, 'run');
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // Undefined when the constructor failed before it was set.
    (this.#rows as Iterator<SqlValue[]> | undefined)?.return?.();
    this.#connection.release();
  }

  #nextBytes(): Buffer {
    const writer = this.#writer;
    const isFirst = this.rows === 0;
    const enough = isFirst ? FIRST_CHUNK_CHARACTERS : CHUNK_CHARACTERS;
    const packFrom = this.#prepared.isOftenLong ? 0 : PACK_FROM_ROWS;
    let text = isFirst ? writer.head : '';
    while (this.#ahead.done !== true && text.length < enough) {
      if (this.#budget.isSpent(this.rows, this.#bytes + text.length)) {
        this.truncated = true;
        break;
      }
      if (this.rows === packFrom) {
        const packed = this.#pack();
        if (packed !== undefined) return packed;
      }
      this.#budget.checkValues(this.#ahead.value);
      text += writer.row(this.#ahead.value, this.rows === 0);
      this.rows += 1;
      this.#ahead = this.#rows.next();
    }
    const bytes = Buffer.from(text, writer.encoding);
    this.#bytes += bytes.length;
    return bytes;
  }

  /** The whole answer, made anew by SQLite; undefined when that cannot be. */
  #pack(): Buffer | undefined {
    const { mostRows } = this.#budget;
    const prepared = this.#prepared;
    if (mostRows <= PACK_FROM_ROWS || mostRows <= prepared.tooLongForRows) return undefined;
    if (!this.#budget.holdsAnyValueOf(LONGEST_PACKED_BYTES)) return undefined;
    const { format, bigints } = this.#message;
    const packed = prepared.packed(format, bigints)?.run(this.#values);
    prepared.isOftenLong = packed !== undefined && packed.rows > PACK_FROM_ROWS;
    if (packed === undefined) return undefined;
    const isOver = this.#budget.isOver(packed.rows, packed.bytes.length);
    prepared.tooLongForRows = isOver ? mostRows : 0;
    if (isOver) return undefined;
    this.isPacked = true;
    this.rows = packed.rows;
    this.#ahead = { done: true, value: undefined };
    return packed.bytes;
  }

  #prepare(): ReturnType<Connection['prepare']> {
    try {
      return this.#connection.prepare(this.#message.sql, this.#message.params !== undefined);
    } catch (error) {
      throw this.#failure(error, 'prepare');
    }
  }

  #failure(thrown: unknown, phase: 'prepare' | 'run'): TroughError {
    const error = queryError(sqlError(thrown, phase));
    if (error.code === 'SEGMENT_DAMAGED') this.#connections.forget(this.#message.file);
    return error;
  }
}

/** A query writes nothing but temporary files. */
function queryError(error: TroughError): TroughError {
  if (error.context['sqlite'] !== 'SQLITE_IOERR_WRITE') return error;
  const message =
    'a temporary file could not be written: it is larger than the setting engineTemp allows, or its disk fails';
  return new TroughError('ENGINE_MEMORY', message, { ...error.context, setting: 'engineTemp' }, error);
}
