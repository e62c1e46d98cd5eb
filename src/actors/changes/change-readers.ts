import { TroughError } from '../../errors.ts';
import { type Journal } from '../../journal/journal.ts';
import { type Clock } from '../../runtime/clock.ts';
import { type LeaseStore } from '../shared/lease-store.ts';
import { type StreamPulse } from './stream-pulse.ts';

/** Which of these names a pattern finds. REQUEST_INVALID when that takes too long. */
export type NamePattern = (names: readonly string[]) => ReadonlySet<string>;

/** What the readers of changes share. */
export interface ChangeReaderDeps {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly pulse: StreamPulse;
  readonly leases: LeaseStore;
  /** Of the records of one answer, about. */
  readonly pageBytes: number;
}

/** Of one answer. */
export const MOST_RECORDS = 1_000;

/** `reading` ends with JOURNAL_LOST when the sequence is not reached: then it lies in the future, or in the past of another journal. FEED_AHEAD. */
export async function demandReached(what: string, sequence: number, reading: AsyncIterable<unknown>): Promise<void> {
  try {
    const reader = reading[Symbol.asyncIterator]();
    await reader.next();
    await reader.return?.();
  } catch (error) {
    if (TroughError.from(error).code !== 'JOURNAL_LOST') throw error;
    const message =
      `the journal of ${what} has not come to ${String(sequence)} yet: that is a sequence of something else, or of a journal that was lost; ` +
      'ask without since for what comes from now on, or since 0 for all there is';
    throw new TroughError('FEED_AHEAD', message, { sequence }, error);
  }
}
