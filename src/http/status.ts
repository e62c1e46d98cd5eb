import { type ErrorKind, type TroughError } from '../errors.ts';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  input: 400,
  missing: 404,
  conflict: 409,
  large: 413,
  broken: 500,
  busy: 503,
  crowded: 429,
  unknown: 503,
  late: 504,
};

/** Headers that say when to ask again, for what may be answered then; also beside the one status that the original's routes have for errors. */
export function retryHeaders({ kind }: TroughError): readonly string[] {
  return kind === 'busy' || kind === 'crowded' ? ['Retry-After', '1'] : [];
}

/** The status of an error on the `/v1` routes, by its kind. */
export function httpStatus(error: TroughError): number {
  return error.code === 'METHOD_NOT_ALLOWED' ? 405 : STATUS[error.kind];
}
