/** A value of SQLite: a number is a REAL, also a whole one, and a bigint an INTEGER. */
export type SqlValue = null | number | bigint | string | Uint8Array;
/** Positional, or by name without its prefix. */
export type SqlParams = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

/**
 * How rows are written, each format ready to be put on the wire:
 * - `legacy`: objects in column order joined by `,\n`, ASCII only, `1.0` for an integral REAL, last of duplicate column names wins;
 *   the brackets around are the caller's. A BLOB that is UTF-8 is text, any other and Infinity end the answer with SQL_FAILED.
 * - `rows`: arrays joined by `,\n`; BLOB as {"base64":"…"}, Infinity and NaN as null.
 * - `ndjson`: one object per line, values as in `rows`. `csv`: RFC 4180 with a header line; NULL is empty, BLOB is base64.
 */
export type RowFormat = 'legacy' | 'rows' | 'ndjson' | 'csv';

/** One transaction's worth of a client's SQL: a script as the original takes it, or statements with parameters. All of it applies, or none. */
export type WriteRequest =
  | { readonly kind: 'script'; readonly sql: string }
  | {
      readonly kind: 'statements';
      readonly statements: readonly { readonly sql: string; readonly params?: SqlParams | undefined }[];
    };

export interface StatementResult {
  readonly changes: number;
  readonly lastInsertRowid: bigint;
}

/** What a write sees of the clock and of chance: with the same stamp the same SQL does the same to the same database. */
export interface WriteStamp {
  /** The client's, or made for it. */
  readonly requestId: string;
  /** Whole milliseconds since 1970: what `CURRENT_TIMESTAMP`, `datetime('now')` and their like say. */
  readonly timeMs: number;
  /** 128 random bits as 32 hexadecimal digits: `random()` and `randomblob()` are drawn from them. */
  readonly seed: string;
}

export interface StampedWrite extends WriteStamp {
  readonly request: WriteRequest;
}

/** One that was applied, as a journal keeps it: one result for each of its statements. */
export interface RecordedWrite extends StampedWrite {
  readonly results: readonly StatementResult[];
}

/** A group that was committed as one. */
export interface ReplayRecord {
  readonly sequence: number;
  /** Of the SQLite that ran it. */
  readonly sqliteVersion: string;
  readonly writes: readonly RecordedWrite[];
}
