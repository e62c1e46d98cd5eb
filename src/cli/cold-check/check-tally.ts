import { COLD_FINDINGS, type ColdCheckAnswer, type ColdFindingKind } from '../../messages/cold-check.ts';
import { roughByteSize } from '../../model/byte-size.ts';
import { counted, grouped } from '../import/progress.ts';
import { roughTime } from '../rough-time.ts';
import { type CheckedStretch } from './check-state.ts';

/** So many bytes take about as long to read as one more file takes to look at. */
const BYTES_OF_A_LOOK = 100_000;

type Total = ColdCheckAnswer['total'];

/** What a check has seen so far, over all its runs. */
export class CheckTally {
  readonly found: Record<ColdFindingKind, { all: number; repaired: number }> = {
    ...{ lost: { all: 0, repaired: 0 }, torn: { all: 0, repaired: 0 } },
    ...{ foreign: { all: 0, repaired: 0 }, leftover: { all: 0, repaired: 0 } },
  };
  readonly checked = { segments: 0, files: 0, bytes: 0 };
  elapsedMs = 0;
  #total: Total = { segments: 0, bytes: 0 };
  readonly #reads: boolean;
  /** Of this run alone: an earlier one may have been faster. */
  #run: { units: number; ms: number } = { units: 0, ms: 0 };

  constructor(reads: boolean) {
    this.#reads = reads;
  }

  /** `total`: absent for what an earlier run has checked. */
  add({ checked, findings, elapsedMs }: Omit<CheckedStretch, 'next'>, total?: Total): void {
    const before = this.#units;
    for (const what of ['segments', 'files', 'bytes'] as const) this.checked[what] += checked[what];
    for (const { kind, repaired } of findings) {
      this.found[kind].all += 1;
      if (repaired) this.found[kind].repaired += 1;
    }
    this.elapsedMs += elapsedMs;
    if (total === undefined) return;
    this.#total = total;
    this.#run = { units: this.#run.units + this.#units - before, ms: this.#run.ms + elapsedMs };
  }

  /** Findings that nobody mended. */
  get open(): number {
    return COLD_FINDINGS.reduce((sum, kind) => sum + this.found[kind].all - this.found[kind].repaired, 0);
  }

  /** From 0 to 1; less than 1 until the end, since nobody knows how many files there are. */
  get share(): number {
    const { segments, bytes } = this.#total;
    const all = 2 * segments + (this.#reads ? bytes / BYTES_OF_A_LOOK : 0);
    return all === 0 ? 0 : Math.min(0.99, this.#units / all);
  }

  /** Undefined while nothing tells. */
  get leftMs(): number | undefined {
    const { units, ms } = this.#run;
    if (units === 0 || this.share === 0) return undefined;
    return ((this.#units / this.share - this.#units) * ms) / units;
  }

  progressLine(): string {
    const { segments, bytes } = this.checked;
    const left = this.leftMs === undefined ? '' : `, about ${roughTime(this.leftMs)} left`;
    const read = this.#reads ? `, ${roughByteSize(bytes)} read` : '';
    const found = COLD_FINDINGS.reduce((sum, kind) => sum + this.found[kind].all, 0);
    const of = `${grouped(segments)} of ${counted(this.#total.segments, 'segment')}`;
    return `${(this.share * 100).toFixed(0).padStart(3)} %, ${of}${read}, ${counted(found, 'finding')}${left}`;
  }

  summaryLine(): string {
    const { segments, files, bytes } = this.checked;
    const kinds = COLD_FINDINGS.map((kind) => {
      const { all, repaired } = this.found[kind];
      return `${grouped(all)} ${kind}${repaired > 0 ? ` (${grouped(repaired)} mended)` : ''}`;
    });
    const read = this.#reads ? ` (${roughByteSize(bytes)} read)` : '';
    const looked = `${counted(segments, 'segment')} and ${counted(files, 'file')}${read}`;
    return `${looked} in ${roughTime(this.elapsedMs)}: ${kinds.join(', ')}`;
  }

  get #units(): number {
    const { segments, files, bytes } = this.checked;
    return segments + files + bytes / BYTES_OF_A_LOOK;
  }
}
