import { TroughError } from '../errors.ts';

export function segmentUnknown(segment: string, cause?: unknown): TroughError {
  return new TroughError('SEGMENT_UNKNOWN', `there is no segment '${segment}'`, { segment }, cause);
}
