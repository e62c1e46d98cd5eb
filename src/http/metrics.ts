import { collectDefaultMetrics, Counter, Gauge, type Metric, Registry } from 'prom-client';
import { type BucketCounts } from '../model/bucket-counts.ts';
import { RequestCounts } from './request-counts.ts';
import { type LabelledCounts, ScrapedHistogram } from './scraped-histogram.ts';

/** The pause between two looks at the event loop. Each look wakes the process: at the usual 10 ms they are half of what an idle node does. */
const EVENT_LOOP_PROBE_MS = 1_000;

/** The figures of one process; every port shows them at `/metrics`. */
export class HttpMetrics {
  readonly #registry = new Registry();
  readonly #requests = new RequestCounts();

  /** `ofProcess`: also memory, CPU, event loop and garbage collection of the process; once per process. */
  constructor(options: { readonly ofProcess: boolean } = { ofProcess: false }) {
    const requests = this.#requests;
    this.#scraped('trough_http_request_seconds', 'From the head of a request to the end of its answer.', () =>
      requests.labelled(),
    );
    this.gauges('trough_http_in_flight', 'Requests that have no complete answer yet.', 'port', () => requests.inFlight);
    if (options.ofProcess) {
      collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: EVENT_LOOP_PROBE_MS });
    }
  }

  /** A figure that is asked for at each scrape. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** The same for several values, told apart by one label. */
  gauges(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [value, figure] of Object.entries(read())) this.set({ [label]: value }, figure);
      },
    });
  }

  /** A figure that only grows, asked for at each scrape. The name ends in `_total`. */
  counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** The same for several values, told apart by one label. */
  counters(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [value, figure] of Object.entries(read())) this.inc({ [label]: value }, figure);
      },
    });
  }

  /** A distribution for each value of one label, asked for at each scrape. */
  histograms(
    name: string,
    help: string,
    label: string,
    read: () => readonly (readonly [value: string, counts: BucketCounts])[],
  ): void {
    this.#scraped(name, help, () => read().map(([value, counts]) => [{ [label]: value }, counts] as const));
  }

  begin(port: string): void {
    this.#requests.begin(port);
  }

  end(port: string, route: string, status: number, seconds: number): void {
    this.#requests.end(port, route, status, seconds);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }
  #scraped(name: string, help: string, read: () => LabelledCounts): void {
    // The registry asks its metrics for no more than this one has; its type lists all that prom-client's own can do.
    this.#registry.registerMetric(new ScrapedHistogram(name, help, read) as unknown as Metric);
  }
}
