import { TroughError } from '../errors.ts';
import { type JournalEntry, type JournalKey } from './journal.ts';

const ID = /^[\x21-\x7e]{1,200}$/;

/** The share of a stream's bytes that ordinary records may fill, unless set. */
export const ORDINARY_SHARE = 0.8;

const MOST_NAME_BYTES = 400;

/** Error: REQUEST_INVALID. */
export function checkKey({ name }: JournalKey): void {
  if (name === '' || Buffer.byteLength(name) > MOST_NAME_BYTES || !name.isWellFormed())
    throw new TroughError('REQUEST_INVALID', `'${name.slice(0, 40)}' cannot be the name of a key of the journal`);
}

/** Errors: REQUEST_INVALID, JOURNAL_TOO_LARGE. */
export function checkEntry(key: JournalKey, { id, body }: JournalEntry, limitBytes: number): void {
  checkKey(key);
  if (!ID.test(id))
    throw new TroughError('REQUEST_INVALID', `'${id.slice(0, 40)}' cannot be the id of a record`, { key: key.name });
  if (body.length > limitBytes) {
    const message = `a record of ${String(body.length)} bytes is larger than the journal takes, ${String(limitBytes)}`;
    throw new TroughError('JOURNAL_TOO_LARGE', message, { key: key.name, sizeBytes: body.length, limitBytes });
  }
}

/** Error: REQUEST_INVALID. */
export function checkSequence(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new TroughError('REQUEST_INVALID', `${what} must be a whole number from 0 on, not ${String(value)}`);
}
