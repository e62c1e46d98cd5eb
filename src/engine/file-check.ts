import { stat } from 'node:fs/promises';
import { TroughError } from '../errors.ts';

/** Whatever the size of the file, milliseconds. */
export const LEAST_CHECK_MS = 60_000;
/** A check reads every page once: a disk that gives less than this would be of no use. */
const SLOWEST_BYTES_PER_MS = 5_000;

/** How long the check of a file of this size may take before it is taken for one without end: a CHECK constraint can make it one. */
export async function checkDeadlineMs(file: string, leastMs: number): Promise<number> {
  const bytes = await stat(file).then(
    ({ size }) => size,
    // The check itself says that there is no such file.
    () => 0,
  );
  return leastMs + Math.ceil(bytes / SLOWEST_BYTES_PER_MS);
}

/** SEGMENT_DAMAGED for a check that was ended by its deadline. */
export async function whoseCheckEnds<T>(check: Promise<T>): Promise<T> {
  try {
    return await check;
  } catch (thrown) {
    const error = TroughError.from(thrown);
    if (error.code !== 'ENGINE_DEADLINE') throw error;
    throw new TroughError('SEGMENT_DAMAGED', 'its check does not end', error.context, error);
  }
}
