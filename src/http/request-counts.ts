import { BucketCounts } from '../model/bucket-counts.ts';
import { type LabelledCounts } from './scraped-histogram.ts';

const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

/** How long requests took, by port, route and status, and how many are under way: a few look-ups for each. */
export class RequestCounts {
  readonly #ports = new Map<string, Map<string, Map<number, BucketCounts>>>();
  readonly #inFlight = new Map<string, number>();

  begin(port: string): void {
    this.#inFlight.set(port, (this.#inFlight.get(port) ?? 0) + 1);
  }

  /** `route`: a template; there are as many series as there are values of it. */
  end(port: string, route: string, status: number, seconds: number): void {
    this.#inFlight.set(port, (this.#inFlight.get(port) ?? 0) - 1);
    const routes = known(this.#ports, port, () => new Map<string, Map<number, BucketCounts>>());
    const statuses = known(routes, route, () => new Map<number, BucketCounts>());
    known(statuses, status, () => new BucketCounts(BOUNDS_SECONDS)).add(seconds);
  }

  /** By port. */
  get inFlight(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#inFlight);
  }

  labelled(): LabelledCounts {
    return Array.from(this.#ports, ([port, routes]) =>
      Array.from(routes, ([route, statuses]) =>
        Array.from(statuses, ([status, counts]) => [{ port, route, status: String(status) }, counts] as const),
      ),
    ).flat(2);
  }
}

function known<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const before = map.get(key);
  if (before !== undefined) return before;
  const made = make();
  map.set(key, made);
  return made;
}
