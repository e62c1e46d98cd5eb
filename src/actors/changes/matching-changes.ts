import { type ChangesPage, type MadeChange } from '../../messages/changes.ts';
import { decodeRecord } from '../../messages/journal-record.ts';
import { type NamedRecord } from '../../journal/journal.ts';
import { type ChangePosition, formatPositions, markOf, parsePositions } from '../../model/change-position.ts';
import { ChainScan } from './chain-scan.ts';
import { type ChangeReaderDeps, demandReached, MOST_RECORDS, type NamePattern } from './change-readers.ts';
import { gapStart } from './gap-start.ts';
import { type Patience } from './patience.ts';

export interface MatchingChangesDeps extends ChangeReaderDeps {
  /** Streams that segments have their records in. */
  readonly streams: () => Iterable<string>;
  /** REQUEST_INVALID when it is no pattern. */
  readonly pattern: (text: string) => NamePattern;
}

/** One stream at one moment. */
interface Stream {
  readonly stream: string;
  readonly mark: string;
  readonly end: number;
}

/**
 * Reads what the segments whose names match have behind a position in each stream: of one segment in its order, of several in no particular one. All that is
 * written is read for it, so the segments that will be made later are among them.
 */
export class MatchingChanges {
  readonly #deps: MatchingChangesDeps;

  constructor(deps: MatchingChangesDeps) {
    this.#deps = deps;
  }

  /** FEED_AHEAD, REQUEST_INVALID. */
  async page(matching: string, since: string | undefined, patience: Patience): Promise<ChangesPage> {
    const pattern = this.#deps.pattern(matching);
    const asked = since === undefined ? undefined : parsePositions(since);
    const positions = new Map(asked);
    for (;;) {
      const streams = await this.#streams(positions, patience);
      const changes: MadeChange[] = [];
      let more = false;
      for (const stream of streams) {
        // Where nothing is said of a stream: it is new, or everything is wanted from now on.
        const from = positions.get(stream.stream) ?? {
          sequence: asked === undefined ? stream.end : 0,
          mark: stream.mark,
        };
        const reached = await this.#stretch(stream, from, { pattern, changes, share: streams.length }, patience);
        positions.set(stream.stream, { sequence: reached, mark: stream.mark });
        more ||= reached < stream.end;
      }
      patience.demand();
      if (changes.length > 0 || patience.isOver) return { changes, next: formatPositions(positions), more };
      if (more) continue;
      const ends = new Map(streams.map(({ stream, end }) => [stream, end]));
      await this.#deps.pulse.elsewhere(ends, patience.over);
    }
  }

  async #streams(positions: ReadonlyMap<string, unknown>, { gone }: Patience): Promise<Stream[]> {
    const { journal, streams } = this.#deps;
    const names = new Set([...journal.streams, ...streams(), ...positions.keys()]);
    const all = Array.from(names, async (stream) => {
      const { incarnation, lastSequence } = await journal.state(stream, gone);
      return { stream, mark: markOf(incarnation), end: lastSequence };
    });
    return Promise.all(all);
  }

  /** The sequence that it came to. */
  async #stretch(
    { stream, mark, end }: Stream,
    from: ChangePosition,
    into: { readonly pattern: NamePattern; readonly changes: MadeChange[]; readonly share: number },
    { gone }: Patience,
  ): Promise<number> {
    const { journal, pageBytes } = this.#deps;
    const isLost = from.mark !== undefined && from.mark !== mark;
    if (isLost) into.changes.push(lostStream(stream, from.sequence));
    const after = isLost ? 0 : from.sequence;
    if (end < after) {
      await demandReached(`stream ${stream}`, after, journal.readStream(stream, { from: after, through: after }, gone));
      return after;
    }
    if (end === after) return after;
    const records: NamedRecord[] = [];
    const most = { records: MOST_RECORDS, bytes: pageBytes / into.share };
    for await (const record of journal.readStream(stream, { from: after + 1, through: end, most }, gone))
      records.push(record);
    const scan = new ChainScan({
      stream,
      after,
      startAfter: ({ segment, sequence, through }) =>
        gapStart(this.#deps, { stream, name: segment }, { from: sequence, through, mark }, gone),
    });
    const wanted = into.pattern(Array.from(new Set(records.map(({ name }) => name))));
    for (const { name, sequence, body } of records)
      if (wanted.has(name)) await scan.take({ segment: name, sequence, record: decodeRecord(body) });
    into.changes.push(...scan.changes);
    // None: all that was there is purged.
    return records.at(-1)?.sequence ?? end;
  }
}

function lostStream(stream: string, after: number): MadeChange {
  const message =
    `stream ${stream} of the journal was lost and made anew: what its segments had above ${String(after)} is in cold storage as far as it was promoted; ` +
    'ask for each of them alone to see from which version to start';
  return { kind: 'gap', segment: null, stream, after, through: null, reason: 'journal-lost', start: null, message };
}
