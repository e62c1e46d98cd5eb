import { type ErrorContext, type ErrorRecord, TroughError } from '../errors.ts';

const MOST_KEPT = 500;
/** Names can be as long as a query. */
const LONGEST_KEPT_BYTES = 4_096;
const columnLists = new Map<string, readonly string[]>();

/** The names of the columns; the same answers come again and again, so lists are kept. */
export function decodeColumns(bytes: Buffer): readonly string[] {
  const text = bytes.toString('utf8');
  const kept = columnLists.get(text);
  if (kept !== undefined) return kept;
  const columns = Object.freeze(JSON.parse(text) as string[]);
  if (bytes.length > LONGEST_KEPT_BYTES) return columns;
  if (columnLists.size >= MOST_KEPT) columnLists.clear();
  columnLists.set(text, columns);
  return columns;
}

export function decodeError(payload: Buffer, context: ErrorContext): TroughError {
  const record = JSON.parse(payload.toString('utf8')) as ErrorRecord;
  return TroughError.fromRecord({ ...record, context: { ...context, ...record.context } });
}
