import { type BoundValue } from './import-row.ts';

export interface ImportRow {
  readonly line: number;
  readonly values: readonly BoundValue[];
}

/** Rows of one segment in the order of the source. */
export interface Batch {
  readonly segment: string;
  readonly rows: readonly ImportRow[];
  readonly sizeBytes: number;
}

export interface BatchLimits {
  /** A batch is full with so many rows, or bytes. */
  readonly batchRows: number;
  readonly batchBytes: number;
  /** Over all segments. */
  readonly totalBytes: number;
}

interface Buffered {
  rows: ImportRow[];
  sizeBytes: number;
}

/** What an empty row costs in memory. */
const ROW_BYTES = 64;

/** Gathers rows into batches, a buffer for each segment, never more than `totalBytes` over all of them. */
export class Batches {
  readonly #limits: BatchLimits;
  readonly #buffers = new Map<string, Buffered>();
  #bufferedBytes = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** The batches that are to go now: the row's own when it is full; the largest ones when there is too much of all. */
  add(segment: string, row: ImportRow): Batch[] {
    const buffer = this.#buffers.get(segment) ?? { rows: [], sizeBytes: 0 };
    this.#buffers.set(segment, buffer);
    const sizeBytes = rowBytes(row);
    buffer.rows.push(row);
    buffer.sizeBytes += sizeBytes;
    this.#bufferedBytes += sizeBytes;
    if (buffer.rows.length >= this.#limits.batchRows || buffer.sizeBytes >= this.#limits.batchBytes)
      return [this.#take(segment, buffer)];
    return this.#bufferedBytes > this.#limits.totalBytes ? this.#takeLargest() : [];
  }

  *rest(): Generator<Batch, void, undefined> {
    for (const [segment, buffer] of this.#buffers) yield this.#take(segment, buffer);
  }

  /** Half of everything at once: looking for the largest at each row would cost more than the rows do. */
  #takeLargest(): Batch[] {
    const largestFirst = [...this.#buffers].sort(([, left], [, right]) => right.sizeBytes - left.sizeBytes);
    const batches: Batch[] = [];
    for (const [segment, buffer] of largestFirst) {
      if (this.#bufferedBytes <= this.#limits.totalBytes / 2) break;
      batches.push(this.#take(segment, buffer));
    }
    return batches;
  }

  #take(segment: string, { rows, sizeBytes }: Buffered): Batch {
    this.#buffers.delete(segment);
    this.#bufferedBytes -= sizeBytes;
    return { segment, rows, sizeBytes };
  }
}

/** About what a row takes in a request. */
export function rowBytes({ values }: ImportRow): number {
  return values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length + 16 : 16), ROW_BYTES);
}
