import { type Clock } from '../../runtime/clock.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { type Output } from '../output.ts';

const REDRAW_MS = 250;
const LINE_MS = 5_000;
const BAR = 24;

export interface Counts {
  readonly bytesRead: number;
  readonly rows: number;
  readonly segments: number;
  readonly badRows: number;
}

export interface ProgressOptions {
  readonly clock: Clock;
  readonly output: Output;
  /** Of the file; undefined when nobody knows. */
  readonly totalBytes: number | undefined;
  readonly counts: () => Counts;
}

/** Says how far an import is: a line that is drawn over itself on a terminal, else a plain line every five seconds. */
export class Progress implements AsyncDisposable {
  readonly #options: ProgressOptions;
  readonly #startedAt: number;
  #cancel: () => void = () => undefined;
  #drawn = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    this.#schedule();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    if (this.#drawn) await this.#options.output.write('\r\u001b[K');
  }

  #schedule(): void {
    const { clock, output } = this.#options;
    this.#cancel = clock.after(output.isTty ? REDRAW_MS : LINE_MS, () => {
      this.#schedule();
      // A failing stderr cannot be told to anybody; the import itself does not need it.
      this.#say().catch(() => undefined);
    });
  }

  async #say(): Promise<void> {
    const { output, clock, counts, totalBytes } = this.#options;
    const text = describeProgress(counts(), totalBytes, clock.monotonic() - this.#startedAt, output.isTty);
    this.#drawn = output.isTty;
    await output.write(output.isTty ? `\r${text.slice(0, output.columns - 1)}\u001b[K` : `${text}\n`);
  }
}

export function describeProgress(
  counts: Counts,
  totalBytes: number | undefined,
  elapsedMs: number,
  withBar: boolean,
): string {
  const share = totalBytes === undefined || totalBytes === 0 ? undefined : Math.min(1, counts.bytesRead / totalBytes);
  const rate = Math.round((counts.rows * 1_000) / Math.max(1, elapsedMs));
  const parts = [
    share === undefined ? `${roughByteSize(counts.bytesRead)} read` : `${(share * 100).toFixed(0).padStart(3)} %`,
    `${grouped(counts.rows)} rows in ${grouped(counts.segments)} segments`,
    `${grouped(rate)} rows/s`,
  ];
  if (counts.badRows > 0) parts.push(`${grouped(counts.badRows)} bad`);
  if (share !== undefined && share > 0.01) parts.push(`${leftText((elapsedMs * (1 - share)) / share)} left`);
  const filled = Math.round((share ?? 0) * BAR);
  const bar = withBar && share !== undefined ? `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ` : '';
  return bar + parts.join(', ');
}

export function grouped(n: number): string {
  return n.toLocaleString('en-US');
}

/** `1 row`, `2 rows`. */
export function counted(n: number, what: string): string {
  return `${grouped(n)} ${what}${n === 1 ? '' : 's'}`;
}

function leftText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${String(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${String(minutes)} min ${String(seconds % 60)} s`
    : `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
}
