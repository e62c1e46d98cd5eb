import { TroughError } from '../errors.ts';

/** The same result, or the same error with the segment's name in its context. */
export async function withSegment<T>(segment: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    const error = TroughError.from(thrown);
    throw new TroughError(error.code, error.message, { segment, ...error.context }, error);
  }
}
