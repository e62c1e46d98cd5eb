import { type CopyReport } from '../../messages/copy-report.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type FetchFailures } from './fetch-failures.ts';
import { type CopyRate } from './fetch-rate.ts';
import { type Repairs } from './repairs.ts';

/** What a beat says of the copies. */
export interface CopierState {
  readonly pending: number;
  readonly pendingBytes: number;
  readonly fetched: CopyRate | null;
  /** Copies that nobody waits for because their files in cold storage are bad: neither pending nor in the way of `complete`. */
  readonly unfetchable: number;
  /** One of them, and how it failed last. */
  readonly unfetchableOne: FetchFailures['example'];
  readonly complete: { readonly term: number; readonly epoch: number } | null;
  readonly repairs: Pick<Repairs, 'pending' | 'found' | 'replaced'>;
  /** What is still to be fetched of one segment. */
  wantedOf(segment: SegmentId): CopyReport['wanted'];
}
