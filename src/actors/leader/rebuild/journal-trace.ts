import { type Journal, type JournalKey } from '../../../journal/journal.ts';
import {
  type Creation,
  decodeRecord,
  type PublishedState,
  type SegmentRecord,
} from '../../../messages/journal-record.ts';

/** What a segment's journal says of its lease. */
export interface JournalTrace {
  /** `open`: somebody may write it. `closed`: cold storage is the segment. `shredded`: nothing is. */
  readonly state: 'open' | 'closed' | 'shredded';
  /** Of the newest record; nobody opens the segment with one that is not higher. */
  readonly epoch: number;
  /** Who claimed it last; undefined when that claim was purged. */
  readonly node: string | undefined;
  /** The state that it was closed with, or the newest that was meant to be published. */
  readonly published: PublishedState | undefined;
  /** There are writes that no published state may have. */
  readonly hasOpenData: boolean;
  readonly creations: readonly { readonly creation: Creation; readonly timeMs: number }[];
}

/** Reads one chain. undefined: it has no records. JOURNAL_RECORD_UNREADABLE, JOURNAL_LOST. */
export async function traceOf(
  journal: Journal,
  key: JournalKey,
  signal: AbortSignal,
): Promise<JournalTrace | undefined> {
  let trace: JournalTrace | undefined;
  for await (const { body, timeMs } of journal.read(key, { from: 0 }, signal)) {
    trace = follow(trace, decodeRecord(body), timeMs);
  }
  return trace;
}

const NOTHING = { node: undefined, published: undefined, hasOpenData: false, creations: [] } as const;

function follow(before: JournalTrace | undefined, record: SegmentRecord, timeMs: number): JournalTrace {
  const { epoch } = record;
  const known = { ...NOTHING, ...before, epoch };
  switch (record.kind) {
    case 'shredded':
      return { ...NOTHING, epoch, state: 'shredded', creations: known.creations };
    case 'closed':
      return { ...known, state: 'closed', published: record.state, hasOpenData: false };
    case 'claim': {
      const { creation, node } = record;
      const creations = creation === undefined ? known.creations : [...known.creations, { creation, timeMs }];
      return { ...known, state: 'open', node, creations };
    }
    case 'intent':
      // Only one that was found in cold storage is known to be there.
      return { ...known, state: 'open', published: record.state, hasOpenData: known.hasOpenData && !record.adopted };
    case 'data':
      return { ...known, state: 'open', hasOpenData: true };
  }
}
