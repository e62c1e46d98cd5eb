import { type JournalRecord } from './journal.ts';

/** How many records there are, and the bytes of their bodies. */
export async function sizeOfRecords(
  records: AsyncIterable<JournalRecord>,
): Promise<{ records: number; bytes: number }> {
  const size = { records: 0, bytes: 0 };
  for await (const { body } of records) {
    size.records += 1;
    size.bytes += body.length;
  }
  return size;
}
