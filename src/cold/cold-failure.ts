import { TroughError } from '../errors.ts';

const ROOM_ERRORS = new Set(['ENOSPC', 'EDQUOT']);

/** What Node threw, as an error of cold storage. `cancelled` in the context: the caller called it off. The path is in the context, for a person. */
export function coldFailure(thrown: unknown, doing: string, path: string): TroughError {
  if (thrown instanceof TroughError) return thrown;
  if (isAbort(thrown))
    return new TroughError('COLD_FAILED', `${doing} was called off`, { path, cancelled: true }, thrown);
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new TroughError('COLD_FAILED', `${doing} failed: ${reason}`, { path, errno: errnoOf(thrown) }, thrown);
}

function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** ENOENT, and ENOTDIR: a file lies where a directory of the path would be. */
export function isAbsence(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}

/** Of this very path, not of another one that the same work touched. */
export function isAbsenceOf(thrown: unknown, path: string): boolean {
  return isAbsence(thrown) && thrown instanceof Error && 'path' in thrown && thrown.path === path;
}

/** Something has this name already. */
export function isTaken(thrown: unknown): boolean {
  return errnoOf(thrown) === 'EEXIST';
}

export function isOutOfRoom(thrown: unknown): boolean {
  return ROOM_ERRORS.has(errnoOf(thrown) ?? '');
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'TimeoutError');
}
