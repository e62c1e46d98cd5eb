/** `trough`, or what it stands beside. */
export type System = 'trough' | 'L0' | 'L1' | 'echo' | 'B' | 'W';

export interface Sample {
  readonly line: string;
  /** With its unit. */
  readonly figure: string;
  readonly system: System;
  readonly value: number;
}

export interface TableRow {
  readonly line: string;
  readonly figure: string;
  readonly medians: ReadonlyMap<System, number>;
  /** Highest minus lowest over the rounds, as a share of the median. */
  readonly spread: number;
  readonly rounds: number;
}

/** What was measured so far, over all rounds. */
export class Samples {
  readonly #all: Sample[] = [];

  add(sample: Sample): void {
    this.#all.push(sample);
  }

  /** In the order in which the figures came first. */
  rows(): readonly TableRow[] {
    const groups = Map.groupBy(this.#all, ({ line, figure }) => `${line}\n${figure}`);
    return Array.from(groups.values(), (samples): TableRow => {
      const [{ line, figure } = { line: '', figure: '' }] = samples;
      const bySystem = Map.groupBy(samples, ({ system }) => system);
      const medians = new Map(
        Array.from(bySystem, ([system, of]): [System, number] => [system, median(of.map(({ value }) => value))]),
      );
      const own = (bySystem.get('trough') ?? samples).map(({ value }) => value);
      const spread = (Math.max(...own) - Math.min(...own)) / (median(own) || 1);
      return { line, figure, medians, spread, rounds: own.length };
    });
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

const BASELINES = ['L0', 'L1', 'echo', 'B', 'W'] as const satisfies readonly System[];

/** A markdown table: each figure of trough, then each baseline with trough's ratio to it. */
export function renderTable(rows: readonly TableRow[]): string {
  const used = BASELINES.filter((system) => rows.some(({ medians }) => medians.has(system)));
  const head = ['line', 'figure', 'trough', ...used.flatMap((system) => [system, `x ${system}`]), 'spread', 'rounds'];
  const body = rows.map(({ line, figure, medians, spread, rounds }) => {
    const own = medians.get('trough');
    const beside = used.flatMap((system) => {
      const value = medians.get(system);
      return value === undefined
        ? ['', '']
        : [shown(value), own === undefined || value === 0 ? '' : (own / value).toFixed(2)];
    });
    const share = `${String(Math.round(spread * 100))} %`;
    return [line, figure, own === undefined ? '' : shown(own), ...beside, share, String(rounds)];
  });
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function shown(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
