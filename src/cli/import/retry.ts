import { TroughError, type ErrorCode, type ErrorKind } from '../../errors.ts';
import { Backoff, type BackoffPolicy } from '../../runtime/backoff.ts';
import { pause } from '../../runtime/pause.ts';
import { type Clock } from '../../runtime/clock.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly backoff: BackoffPolicy;
  /** The first failure is this long ago: give up. */
  readonly giveUpAfterMs: number;
}

const PASSING_KINDS: ReadonlySet<ErrorKind> = new Set(['busy', 'crowded', 'late']);
/** These pass, after the segment was made writable again or its process replaced. */
const PASSING: readonly ErrorCode[] = [
  'SEGMENT_NOT_WRITABLE',
  'SEGMENT_LEASED',
  'ENGINE_CHILD_DIED',
  'BUS_ANSWER_BROKEN',
];

/** Does `work` again while its error is one that passes, with growing pauses; `again` says that an attempt failed before. */
export async function retry<T>(
  options: RetryOptions,
  work: (again: TroughError | undefined) => Promise<T>,
): Promise<T> {
  const { clock } = options;
  const backoff = new Backoff(options.backoff, options.random);
  let failure: TroughError | undefined;
  let failedAt: number | undefined;
  for (;;) {
    try {
      return await work(failure);
    } catch (error) {
      failure = TroughError.from(error);
      failedAt ??= clock.monotonic();
      if (!isPassing(failure) || clock.monotonic() - failedAt > options.giveUpAfterMs) throw failure;
      await pause(clock, backoff.next());
    }
  }
}

function isPassing(error: TroughError): boolean {
  return PASSING_KINDS.has(error.kind) || PASSING.includes(error.code);
}
