import { TroughError } from '../../errors.ts';
import { type Batch, type ImportRow } from './batches.ts';
import { type ImportState } from './import-state.ts';
import { type Rejects } from './rejects.ts';
import { RequestLimit, sizeOfRows } from './request-limit.ts';
import { retry, type RetryOptions } from './retry.ts';
import { type SegmentTable, type TableState } from './segment-table.ts';

export interface LoaderOptions {
  readonly table: SegmentTable;
  /** Absent: an import from standard input, which cannot be resumed. */
  readonly state: ImportState | undefined;
  readonly rejects: Rejects;
  readonly retry: RetryOptions;
  readonly mostRows: number;
}

interface NumberedRow extends ImportRow {
  /** Among the rows of its segment in the source, from 0. */
  readonly index: number;
}

/** How far one segment is. */
interface Progress {
  /** Rows that the table had before the import. */
  readonly base: number;
  /** Rows of ours that are in. */
  applied: number;
  /** Rows of ours that an earlier run brought in and that have not come by yet in this one. */
  toSkip: number;
  nextIndex: number;
  now: TableState;
  readonly refused: ReadonlyMap<number, string>;
}

/** Errors that every further row would meet too. */
const HOPELESS = /no such table|has no column named|is not a writable|may not be modified/i;

/**
 * Brings batches into their segments, each row once. Batches of one segment must come one after the other.
 *
 * How many rows of a segment are in is what its table says: count(*) less what it had before the import. So nothing is done twice after a
 * crash, of this program or of the cluster; and a batch of unknown outcome is sent again under a guard that lets only one of both in.
 */
export class SegmentLoader {
  readonly #options: LoaderOptions;
  readonly #segments = new Map<string, Progress>();
  readonly #limit = new RequestLimit();
  #loaded = 0;
  #skipped = 0;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Rows that this run brought in. */
  get loaded(): number {
    return this.#loaded;
  }

  /** Rows that were in already. */
  get skipped(): number {
    return this.#skipped;
  }

  get segmentCount(): number {
    return this.#segments.size;
  }

  segments(): IterableIterator<string> {
    return this.#segments.keys();
  }

  /** IMPORT_FAILED names the segment; what is in stays in. */
  async load({ segment, rows }: Batch): Promise<void> {
    try {
      const progress = this.#segments.get(segment) ?? (await this.#begin(segment));
      const fresh = await this.#passOver(segment, progress, rows);
      for (const part of this.#limit.split(fresh, this.#options.mostRows)) await this.#send(segment, progress, part);
    } catch (error) {
      const known = TroughError.from(error);
      if (known.code === 'IMPORT_FAILED') throw known;
      throw new TroughError(
        'IMPORT_FAILED',
        `segment ${segment}: ${known.message} (${known.code})`,
        { segment },
        known,
      );
    }
  }

  /** Call when the source has ended: a table with more rows of an earlier run than the source has was written by somebody else. */
  finish(): void {
    for (const [segment, { toSkip }] of this.#segments) {
      if (toSkip > 0) throw foreign(segment, `has ${String(toSkip)} rows more than the source has for it`);
    }
  }

  async promote(segment: string): Promise<void> {
    try {
      await retry(this.#options.retry, () => this.#options.table.promote(segment));
    } catch (error) {
      const { message, code } = TroughError.from(error);
      const sentence = `segment ${segment} has all its rows but was not promoted: ${message} (${code})`;
      throw new TroughError('IMPORT_FAILED', sentence, { segment }, error);
    }
  }

  async #begin(segment: string): Promise<Progress> {
    const { table, state } = this.#options;
    const now = await retry(this.#options.retry, async () => {
      return (await table.open(segment)) ?? table.state(segment);
    });
    const past = state?.pastOf(segment);
    if (past === undefined) await state?.append({ segment, base: now.rows });
    const base = past?.base ?? now.rows;
    const applied = now.rows - base;
    if (applied < 0) throw foreign(segment, `has ${String(-applied)} rows fewer than before the import`);
    const progress: Progress = {
      base,
      applied,
      toSkip: applied,
      nextIndex: 0,
      now,
      refused: past?.refused ?? new Map<number, string>(),
    };
    this.#segments.set(segment, progress);
    return progress;
  }

  /** Leaves out what an earlier run has dealt with. */
  async #passOver(segment: string, progress: Progress, rows: readonly ImportRow[]): Promise<NumberedRow[]> {
    const fresh: NumberedRow[] = [];
    for (const row of rows) {
      const index = progress.nextIndex;
      progress.nextIndex += 1;
      const reason = progress.refused.get(index);
      if (reason !== undefined) await this.#reject(segment, row, reason);
      else if (progress.toSkip === 0) fresh.push({ ...row, index });
      else {
        progress.toSkip -= 1;
        this.#skipped += 1;
      }
    }
    return fresh;
  }

  /** Sends rows until they are in; those that the database refuses are searched for by halving. */
  async #send(segment: string, progress: Progress, rows: readonly NumberedRow[]): Promise<void> {
    try {
      await retry(this.#options.retry, (again) => this.#attempt(segment, progress, rows, again));
    } catch (error) {
      const known = TroughError.from(error);
      if (
        (known.kind !== 'input' && known.kind !== 'large') ||
        known.code === 'IMPORT_FAILED' ||
        HOPELESS.test(known.message)
      )
        throw known;
      if (known.kind === 'large' && rows.length > 1) {
        this.#tooLarge(rows, known);
        for (const part of this.#limit.split(rows, Math.ceil(rows.length / 2)))
          await this.#send(segment, progress, part);
        return;
      }
      const [only] = rows;
      if (rows.length === 1 && only !== undefined) {
        await this.#options.state?.append({ segment, refused: only.index, reason: known.message });
        await this.#reject(segment, only, known.message);
        return;
      }
      const half = Math.ceil(rows.length / 2);
      await this.#send(segment, progress, rows.slice(0, half));
      await this.#send(segment, progress, rows.slice(half));
    }
  }

  /** What comes after these rows is cut to fit as well. */
  #tooLarge(rows: readonly NumberedRow[], { context }: TroughError): void {
    const { bytes, limitBytes } = context;
    const told =
      typeof bytes === 'number' && typeof limitBytes === 'number' ? { of: bytes, limit: limitBytes } : undefined;
    this.#limit.refused(sizeOfRows(rows), told);
  }

  async #attempt(
    segment: string,
    progress: Progress,
    rows: readonly NumberedRow[],
    again: TroughError | undefined,
  ): Promise<void> {
    const { table } = this.#options;
    if (again !== undefined) {
      await table.open(segment);
      if (await this.#isIn(segment, progress, rows.length)) return;
    }
    const values = rows.map((row) => row.values);
    for (let tries = 0; tries < 2; tries += 1) {
      const { inserted, lastRowid } = await table.insert(segment, values, progress.now);
      if (inserted === rows.length) {
        this.#count(progress, rows.length, lastRowid);
        return;
      }
      if (await this.#isIn(segment, progress, rows.length)) return;
    }
    throw foreign(segment, 'is being written by somebody else');
  }

  /** Looks whether the batch is in after all, and where the table stands. */
  async #isIn(segment: string, progress: Progress, rows: number): Promise<boolean> {
    progress.now = await this.#options.table.state(segment);
    const more = progress.now.rows - progress.base - progress.applied;
    if (more === 0) return false;
    if (more !== rows) throw foreign(segment, `has ${String(more)} rows that this import did not write`);
    progress.applied += rows;
    this.#loaded += rows;
    return true;
  }

  #count(progress: Progress, rows: number, lastRowid: number | bigint): void {
    progress.applied += rows;
    this.#loaded += rows;
    const { now } = progress;
    const value = now.mark === 'count(*)' ? BigInt(now.value) + BigInt(rows) : larger(now.value, lastRowid);
    progress.now = { ...now, rows: now.rows + rows, value };
  }

  #reject(segment: string, row: ImportRow, reason: string): Promise<void> {
    return this.#options.rejects.addBound(row.line, `${segment}: ${reason}`, row.values);
  }
}

/** With explicit keys the last row need not be the highest: then the guard does not hold, and the table is asked. */
function larger(left: number | bigint, right: number | bigint): number | bigint {
  return left > right ? left : right;
}

function foreign(segment: string, what: string): TroughError {
  return new TroughError(
    'IMPORT_FAILED',
    `segment ${segment} ${what}; nobody else may write the table during an import`,
    { segment },
  );
}
