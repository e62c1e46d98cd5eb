import { TroughError } from '../errors.ts';
import { type QueryCall } from './query-call.ts';

/**
 * The long answers that have begun and not ended. Each holds a statement and chunks that its reader has not taken, for as long as that reader
 * wants: so there is a most of them, and half of it for one segment.
 */
export class OpenStreams {
  readonly #most: number;
  readonly #mostOfSegment: number;
  readonly #open = new Set<QueryCall>();
  readonly #bySegment = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
    this.#mostOfSegment = Math.ceil(most / 2);
  }

  /** Undefined: it counts from here on. Else why it may not begin: ENGINE_POOL_FULL or SEGMENT_QUEUE_FULL. */
  refusal(call: QueryCall): TroughError | undefined {
    const { segment } = call.query;
    const ofSegment = this.#bySegment.get(segment) ?? 0;
    if (this.#open.size >= this.#most)
      return new TroughError('ENGINE_POOL_FULL', 'too many long answers are being read', { segment });
    if (ofSegment >= this.#mostOfSegment)
      return new TroughError('SEGMENT_QUEUE_FULL', 'too many long answers of this segment are being read', { segment });
    this.#open.add(call);
    this.#bySegment.set(segment, ofSegment + 1);
    return undefined;
  }

  ended(call: QueryCall): void {
    if (!this.#open.delete(call)) return;
    const { segment } = call.query;
    const others = (this.#bySegment.get(segment) ?? 1) - 1;
    if (others === 0) this.#bySegment.delete(segment);
    else this.#bySegment.set(segment, others);
  }
}
