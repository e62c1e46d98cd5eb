import { type QueryRecord } from '../../engine/engine.ts';
import { type ErrorCode, type ErrorKind, ERRORS } from '../../errors.ts';
import { BucketCounts } from '../../model/bucket-counts.ts';

/** Seconds. */
const BOUNDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

export type QueryPhase = 'queue' | 'open' | 'first' | 'total';
export type QueryOutcome = 'ok' | ErrorKind;

type Phases = Readonly<Record<QueryPhase, BucketCounts>>;

/** What all queries of this node took and gave, in seconds and by outcome: a few additions for each one, put together when somebody asks. */
export class QueryFigures {
  readonly #phases = new Map<QueryOutcome, Phases>();
  readonly #errors = new Map<ErrorCode, number>();
  readonly #ok = newPhases();
  rows = 0;
  bytes = 0;

  static readonly bounds: readonly number[] = BOUNDS;

  constructor() {
    this.#phases.set('ok', this.#ok);
  }

  add({ startedMs, openMs, firstMs, totalMs, rows, bytes, error }: QueryRecord): void {
    const phases = error === undefined ? this.#ok : this.#failed(error);
    if (startedMs !== undefined) phases.queue.add(startedMs / 1_000);
    if (openMs !== undefined) phases.open.add(openMs / 1_000);
    if (firstMs !== undefined) phases.first.add(firstMs / 1_000);
    phases.total.add(totalMs / 1_000);
    this.rows += rows;
    this.bytes += bytes;
  }

  phase(phase: QueryPhase): readonly (readonly [QueryOutcome, BucketCounts])[] {
    return Array.from(this.#phases, ([outcome, phases]) => [outcome, phases[phase]] as const);
  }

  errors(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#errors);
  }

  #failed(code: ErrorCode): Phases {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
    const kind = ERRORS[code];
    const known = this.#phases.get(kind);
    if (known !== undefined) return known;
    const phases = newPhases();
    this.#phases.set(kind, phases);
    return phases;
  }
}

function newPhases(): Phases {
  return {
    queue: new BucketCounts(BOUNDS),
    open: new BucketCounts(BOUNDS),
    first: new BucketCounts(BOUNDS),
    total: new BucketCounts(BOUNDS),
  };
}
