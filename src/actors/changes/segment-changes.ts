import { type JournalKey } from '../../journal/journal.ts';
import { type ChangesPage, type MadeChange } from '../../messages/changes.ts';
import { decodeRecord } from '../../messages/journal-record.ts';
import { type ChangePosition, formatPosition, markOf, parsePosition } from '../../model/change-position.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { segmentUnknown } from '../../model/segment-unknown.ts';
import { ChainScan, whereToStart } from './chain-scan.ts';
import { type ChangeReaderDeps, demandReached, MOST_RECORDS } from './change-readers.ts';
import { gapStart } from './gap-start.ts';
import { type Patience } from './patience.ts';
import { type SegmentStreams } from './segment-streams.ts';

export interface SegmentChangesDeps extends ChangeReaderDeps {
  readonly streams: SegmentStreams;
}

interface Place {
  readonly key: JournalKey;
  readonly mark: string;
  readonly isShredded: boolean;
}

interface Found {
  readonly changes: readonly MadeChange[];
  readonly reached: number;
}

const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 800;

/** Reads what one segment's journal has behind a position, and waits for more. It keeps nothing from one answer to the next: the position says it all. */
export class SegmentChanges {
  readonly #deps: SegmentChangesDeps;

  constructor(deps: SegmentChangesDeps) {
    this.#deps = deps;
  }

  /** SEGMENT_UNKNOWN, FEED_NO_JOURNAL, FEED_AHEAD, REQUEST_INVALID. */
  async page(segment: SegmentId, since: string | undefined, patience: Patience): Promise<ChangesPage> {
    const asked = since === undefined ? undefined : parsePosition(since);
    const place = await this.#place(segment, patience);
    const begun = asked === undefined ? { changes: [], reached: undefined } : await this.#begin(place, asked, patience);
    if (place.isShredded && since === undefined) throw segmentUnknown(segment);
    const page = await this.#readOrWait(place, begun, patience);
    if (place.isShredded && page.changes.length === 0) throw segmentUnknown(segment);
    return page;
  }

  async #readOrWait(
    place: Place,
    begun: { readonly changes: readonly MadeChange[]; readonly reached: number | undefined },
    patience: Patience,
  ): Promise<ChangesPage> {
    const { journal, pulse } = this.#deps;
    const { key, mark } = place;
    let { reached } = begun;
    for (let vain = 0; ; vain += 1) {
      // Before the look at the segment: what comes behind that look wakes.
      const { lastSequence } = await journal.state(key.stream, patience.gone);
      const end = (await journal.last(key, patience.gone))?.sequence ?? 0;
      reached ??= end;
      if (end < reached) {
        const range = { from: reached, through: reached };
        await demandReached(`'${key.name}'`, reached, journal.read(key, range, patience.gone));
        continue;
      }
      const found = await this.#read(place, reached, end, patience);
      reached = found.reached;
      const changes = [...begun.changes, ...found.changes];
      if (changes.length > 0 || patience.isOver || place.isShredded) {
        patience.demand();
        return { changes, next: formatPosition({ sequence: reached, mark }), more: reached < end };
      }
      if (reached < end) continue;
      // Others of the stream may be busy while this one is not.
      if (vain > 0) await patience.pause(Math.min(MOST_PAUSE_MS, LEAST_PAUSE_MS * 2 ** Math.min(vain, 10)));
      await pulse.elsewhere(new Map([[key.stream, lastSequence]]), patience.over);
    }
  }

  async #read({ key, mark }: Place, after: number, end: number, { gone }: Patience): Promise<Found> {
    const { journal, pageBytes } = this.#deps;
    if (end <= after) return { changes: [], reached: after };
    const scan = new ChainScan({
      stream: key.stream,
      after,
      startAfter: ({ sequence, through }) => gapStart(this.#deps, key, { from: sequence, through, mark }, gone),
    });
    let reached = after;
    const range = { from: after + 1, through: end, most: { records: MOST_RECORDS, bytes: pageBytes } };
    for await (const { sequence, body } of journal.read(key, range, gone)) {
      await scan.take({ segment: key.name, sequence, record: decodeRecord(body) });
      reached = sequence;
    }
    return { changes: scan.changes, reached };
  }

  /** Where the reading begins. A position in a stream that was lost is nowhere: the new one is read from its beginning. */
  async #begin({ key, mark }: Place, asked: ChangePosition, { gone }: Patience) {
    if (asked.mark === undefined || asked.mark === mark) return { changes: [], reached: asked.sequence };
    const start = await gapStart(this.#deps, key, { from: 0, through: 0, mark }, gone);
    const what = `the journal that had the changes of '${key.name}' above ${String(asked.sequence)} was lost`;
    const gap = {
      ...({ kind: 'gap', segment: key.name, stream: key.stream, after: asked.sequence, through: null } as const),
      ...({ reason: 'journal-lost', start: start ?? null, message: `${what}: ${whereToStart(start)}` } as const),
    };
    return { changes: [gap], reached: 0 };
  }

  async #place(segment: SegmentId, { gone }: Patience): Promise<Place> {
    const { journal, streams } = this.#deps;
    const { stream, isShredded } = await streams.of(segment, gone);
    const { incarnation } = await journal.state(stream, gone);
    return { key: { stream, name: segment }, mark: markOf(incarnation), isShredded };
  }
}
