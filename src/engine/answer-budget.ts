import { TroughError } from '../errors.ts';
import { roughByteSize } from '../model/byte-size.ts';
import { type RowFormat, type SqlValue } from '../model/sql-types.ts';

/** How large any answer may be; what is left out is not limited. */
export interface AnswerLimits {
  /** Of one value: bytes of a BLOB, UTF-16 units of a text. */
  readonly valueBytes?: number | undefined;
  readonly answerRows?: number | undefined;
  /** The answer ends with the row that passes it. */
  readonly answerBytes?: number | undefined;
}

/** Formats whose end says that there were more rows. The others must not end early: nobody could tell. */
const SAY_TRUNCATED: ReadonlySet<RowFormat> = new Set(['rows', 'ndjson']);

/** Holds one answer to what was asked for and to the limits: the one cuts it off, the other does so only where the answer can say it. */
export class AnswerBudget {
  readonly #limits: AnswerLimits;
  readonly #format: RowFormat;
  readonly #askedRows: number;
  readonly #valueBytes: number;
  readonly #mostRows: number;
  readonly #mostBytes: number;

  constructor(limits: AnswerLimits, format: RowFormat, askedRows: number | undefined) {
    this.#limits = limits;
    this.#format = format;
    this.#askedRows = askedRows ?? Infinity;
    this.#valueBytes = limits.valueBytes ?? Infinity;
    this.#mostRows = Math.min(this.#askedRows, limits.answerRows ?? Infinity);
    this.#mostBytes = limits.answerBytes ?? Infinity;
  }

  /** Asked before each row that follows: true when it is to be left out. SQL_TOO_LARGE when that may not be. */
  isSpent(rows: number, bytes: number): boolean {
    if (rows < this.#mostRows && bytes < this.#mostBytes) return false;
    if (rows < this.#askedRows && !SAY_TRUNCATED.has(this.#format)) throw this.#tooLong(bytes);
    return true;
  }

  /** Rows that the answer may have at most. */
  get mostRows(): number {
    return this.#mostRows;
  }

  /** More than all that is wanted. */
  isOver(rows: number, bytes: number): boolean {
    return rows > this.#mostRows || bytes > this.#mostBytes;
  }

  /** No value of an answer of so many bytes can be over the limit. */
  holdsAnyValueOf(bytes: number): boolean {
    return bytes <= this.#valueBytes;
  }

  /** SQL_TOO_LARGE for a value that is over the limit, before it is turned into text. */
  checkValues(row: readonly SqlValue[]): void {
    for (const value of row) {
      if ((typeof value === 'string' || value instanceof Uint8Array) && value.length > this.#valueBytes) {
        const sizeBytes = value.length;
        const most = roughByteSize(this.#valueBytes);
        throw new TroughError('SQL_TOO_LARGE', `a value of ${roughByteSize(sizeBytes)} is larger than ${most}`, {
          sizeBytes,
          setting: 'valueLimit',
        });
      }
    }
  }

  #tooLong(bytes: number): TroughError {
    const { answerRows = Infinity, answerBytes = Infinity } = this.#limits;
    const [what, setting] =
      bytes >= answerBytes
        ? [roughByteSize(answerBytes), 'answerSizeLimit']
        : [`${String(answerRows)} rows`, 'answerRowLimit'];
    return new TroughError('SQL_TOO_LARGE', `the answer is larger than ${what}`, { setting });
  }
}
