import { TroughError } from '../errors.ts';
import { type JournalKey } from './journal.ts';

/** Another record stands where this one should follow; it was not appended and never will be. `found`: the key's last sequence. */
export function fenced({ stream, name }: JournalKey, expected: number, found: number): TroughError {
  const message = `the journal of ${name} goes on to ${String(found)}, not only to ${String(expected)}: another node writes it`;
  return new TroughError('JOURNAL_FENCED', message, { key: name, stream, expected, found });
}

export function full({ stream, name }: JournalKey, bytes: number, limitBytes: number): TroughError {
  const message = `stream ${stream} of the journal holds ${String(bytes)} of ${String(limitBytes)} bytes`;
  return new TroughError('JOURNAL_FULL', message, { key: name, stream, bytes, limitBytes });
}

/** The record may be in the journal, or get there later. */
export function unknownOutcome({ stream, name }: JournalKey, reason: string, cause: unknown): TroughError {
  const message = `it is not known whether the journal of ${name} has the record: ${reason}`;
  return new TroughError('JOURNAL_UNKNOWN', message, { key: name, stream }, cause);
}

/** Nothing was changed, nothing will be. */
export function unreachable(what: string, reason: string, cause: unknown): TroughError {
  if (cause instanceof TroughError && cause.code === 'STOPPING') return cause;
  return new TroughError('JOURNAL_UNREACHABLE', `${what}: ${reason}`, {}, cause);
}

export function lost(stream: string, reason: string): TroughError {
  return new TroughError('JOURNAL_LOST', `stream ${stream} of the journal ${reason}`, { stream });
}

export function stopping(): TroughError {
  return new TroughError('STOPPING', 'the journal is closed');
}
