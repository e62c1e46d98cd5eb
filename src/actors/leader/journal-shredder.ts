import { TroughError } from '../../errors.ts';
import { type Journal } from '../../journal/journal.ts';
import { type LeaseDocument } from '../../messages/documents.ts';
import { decodeRecord, encodeRecord } from '../../messages/journal-record.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

export interface JournalShredderDeps {
  readonly clock: Clock;
  readonly journal?: Journal;
}

const DEADLINE_MS = 10_000;

/**
 * Makes `shredded` the last record of a segment's journal, and purges what stands before: nobody who comes later finds anything to go on from, and who
 * held the segment can write nothing more.
 */
export async function shredJournal({ clock, journal }: JournalShredderDeps, lease: LeaseDocument): Promise<void> {
  const { stream, segment } = lease;
  if (stream === null) return;
  if (journal === undefined) {
    const message = `the writes of '${segment}' are in a journal, and this sync-master runs without`;
    throw new TroughError('NODE_UNAVAILABLE', message, { segment });
  }
  const key = { stream, name: segment };
  await withDeadline(clock, DEADLINE_MS, async (signal) => {
    for (;;) {
      const last = await journal.last(key, signal);
      if (last === undefined) return;
      const record = decodeRecord(last.body);
      if (record.kind === 'shredded') {
        await journal.purge(key, last.sequence, signal);
        return;
      }
      const epoch = Math.max(record.epoch, lease.epoch) + 1;
      const body = encodeRecord({ kind: 'shredded', epoch, previous: last.sequence });
      const entry = { id: `shred-${String(epoch)}-${String(last.sequence)}`, body, reserved: true };
      try {
        await journal.append(key, entry, last.sequence, signal);
      } catch (error) {
        // The holder has written meanwhile: behind that, then.
        if (TroughError.from(error).code !== 'JOURNAL_FENCED') throw error;
      }
    }
  });
}
