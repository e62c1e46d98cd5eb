import { type ImportRow, rowBytes } from './batches.ts';

/** Requests are not made smaller than this: what is refused then is a row that is too large by itself. */
const LEAST_BYTES = 65_536;

/** How much the cluster takes in one request, as its refusals show: the limit is that of its NATS servers, which nobody here can see. */
export class RequestLimit {
  #mostBytes = Infinity;

  /** A request of that size was refused as too large. `limitBytes`: what it would have taken, as far as it says. */
  refused(sizeBytes: number, limitBytes?: { readonly of: number; readonly limit: number }): void {
    // A little less than what would have fitted: rows differ.
    const share = limitBytes === undefined ? 0.5 : Math.min(0.5, (0.9 * limitBytes.limit) / limitBytes.of);
    this.#mostBytes = Math.min(this.#mostBytes, Math.max(LEAST_BYTES, sizeBytes * share));
  }

  /** The rows in their order, as many at a time as may go in one request. */
  *split<Row extends ImportRow>(rows: readonly Row[], mostRows: number): Generator<readonly Row[], void, undefined> {
    let next: Row[] = [];
    let bytes = 0;
    for (const row of rows) {
      const more = rowBytes(row);
      if (next.length > 0 && (next.length >= mostRows || bytes + more > this.#mostBytes)) {
        yield next;
        [next, bytes] = [[], 0];
      }
      next.push(row);
      bytes += more;
    }
    if (next.length > 0) yield next;
  }
}

export function sizeOfRows(rows: readonly ImportRow[]): number {
  return rows.reduce((sum, row) => sum + rowBytes(row), 0);
}
