import { type BucketCounts } from '../model/bucket-counts.ts';

export type LabelledCounts = readonly (readonly [labels: Readonly<Record<string, string>>, counts: BucketCounts])[];

/** One line of the answer to a scrape. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A histogram whose values are kept elsewhere and read at each scrape. prom-client's own takes up to 1 µs for each value with labels; here
 * that is an addition.
 */
export class ScrapedHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  readonly #read: () => LabelledCounts;

  constructor(name: string, help: string, read: () => LabelledCounts) {
    this.name = name;
    this.help = help;
    this.#read = read;
  }

  /** What the registry asks each of its metrics for. */
  get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: readonly Sample[] }> {
    const { name, help, type, aggregator } = this;
    const values = this.#read().flatMap(([labels, counts]) => this.#series(labels, counts));
    return Promise.resolve({ name, help, type, aggregator, values });
  }

  #series(labels: Sample['labels'], counts: BucketCounts): Sample[] {
    const { name } = this;
    const upTo = counts.cumulative();
    return [
      ...counts.bounds.map((le, at) => ({
        metricName: `${name}_bucket`,
        labels: { le, ...labels },
        value: upTo[at] ?? 0,
      })),
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: counts.count },
      { metricName: `${name}_sum`, labels, value: counts.sum },
      { metricName: `${name}_count`, labels, value: counts.count },
    ];
  }
}
