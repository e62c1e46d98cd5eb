import { type TroughError } from '../errors.ts';
import { type SqlValue } from '../model/sql-types.ts';
import { type Connection, type Connections, type PreparedQuery } from './child-connections.ts';
import { bindings, sqlError } from './child-database.ts';
import { type QueryMessage } from './messages.ts';
import { type RowWriter } from './row-format.ts';
import { unpackParams } from './wire-values.ts';

/** A chunk ends at the row that passes this many UTF-16 units. */
const CHUNK_CHARACTERS = 64 * 1024;

export interface Chunk {
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** One running query in a child: gives its answer chunk by chunk, and holds its connection until it has ended. */
export class RunningQuery {
  readonly #message: QueryMessage;
  readonly #connections: Connections;
  readonly #connection: Connection;
  readonly #prepared: PreparedQuery;
  readonly #rows: Iterator<SqlValue[]>;
  #ahead: IteratorResult<SqlValue[]>;
  #writer: RowWriter;
  #isOpen = true;
  /** To open the file, when it was not, and to prepare the statement, when it was not; microseconds. */
  readonly openMicros: number;
  rows = 0;
  truncated = false;

  /** Runs to the first row; what fails until there is thrown, and nothing stays open. */
  constructor(message: QueryMessage, connections: Connections) {
    this.#message = message;
    this.#connections = connections;
    const startedAt = performance.now();
    this.#connection = connections.get(message.file, message.version, message.live);
    this.#prepared = this.#prepare();
    this.openMicros = Math.round((performance.now() - startedAt) * 1_000);
    this.#connection.use();
    try {
      const params = message.params === undefined ? undefined : unpackParams(message.params);
      this.#rows = this.#prepared.statement.iterate(...bindings(this.#prepared.parsed, params));
      this.#ahead = this.#rows.next();
      if (message.live) this.#prepared.readColumns();
      this.#writer = this.#prepared.writer(message.format, message.bigints);
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
      const text = this.#nextText();
      const isLast = this.#ahead.done === true || this.truncated;
      if (isLast) this.close();
      return { bytes: Buffer.from(text, this.#writer.encoding), isLast };
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

  #nextText(): string {
    const most = this.#message.maxRows ?? Infinity;
    const writer = this.#writer;
    let text = this.rows === 0 ? writer.head : '';
    while (this.#ahead.done !== true && text.length < CHUNK_CHARACTERS) {
      if (this.rows >= most) {
        this.truncated = true;
        break;
      }
      text += writer.row(this.#ahead.value, this.rows === 0);
      this.rows += 1;
      this.#ahead = this.#rows.next();
    }
    return text;
  }

  #prepare(): PreparedQuery {
    try {
      return this.#connection.prepare(this.#message.sql);
    } catch (error) {
      throw this.#failure(error, 'prepare');
    }
  }

  #failure(thrown: unknown, phase: 'prepare' | 'run'): TroughError {
    const error = sqlError(thrown, phase);
    if (error.code === 'SEGMENT_DAMAGED') this.#connections.forget(this.#message.file);
    return error;
  }
}
