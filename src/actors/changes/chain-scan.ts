import { type GapStart, type MadeChange } from '../../messages/changes.ts';
import { type SegmentRecord } from '../../messages/journal-record.ts';
import { fromSqlParams } from '../../messages/sql-params.ts';
import { splitScript } from '../../model/sql-script.ts';
import { type RecordedWrite } from '../../model/sql-types.ts';

/** A record of a segment's chain, with its place. */
export interface ScannedRecord {
  readonly segment: string;
  readonly sequence: number;
  readonly record: SegmentRecord;
}

/** What is gone: above `after`, up to `through`. The next record is `sequence`. */
export interface Missing {
  readonly segment: string;
  readonly after: number;
  readonly through: number;
  readonly sequence: number;
}

export interface ChainScanDeps {
  readonly stream: string;
  /** Everything up to this sequence is known to who asked. */
  readonly after: number;
  /** What can be had in its place. */
  readonly startAfter: (missing: Missing) => Promise<GapStart | undefined>;
}

/**
 * Makes changes of records that come in the order of their stream. Each record names its predecessor, so what is missing is told from what never was. Every
 * record that is in the journal is part of its segment for good, whoever appended it: its sequence is the fence. What is not a write, a beginning or an end is left out.
 */
export class ChainScan {
  readonly changes: MadeChange[] = [];
  readonly #deps: ChainScanDeps;
  readonly #reached = new Map<string, number>();

  constructor(deps: ChainScanDeps) {
    this.#deps = deps;
  }

  async take(scanned: ScannedRecord): Promise<void> {
    const { segment, sequence, record } = scanned;
    const reached = this.#reached.get(segment);
    const follows = reached === undefined ? record.previous <= this.#deps.after : record.previous === reached;
    this.#reached.set(segment, sequence);
    // What stood before a shredding is nobody's loss.
    if (!follows && record.kind !== 'shredded') {
      await this.#miss({ segment, sequence, after: reached ?? this.#deps.after, through: record.previous });
    }
    this.changes.push(...changesOf(scanned));
  }

  async #miss(missing: Missing): Promise<void> {
    const start = await this.#deps.startAfter(missing);
    const { segment, after, through } = missing;
    const gone = `the changes of '${segment}' above ${String(after)} up to ${String(through)} are not in the journal any more`;
    const message = `${gone}: ${whereToStart(start)}`;
    const { stream } = this.#deps;
    this.changes.push({
      kind: 'gap',
      segment,
      stream,
      after,
      through,
      reason: 'purged',
      start: start ?? null,
      message,
    });
  }
}

export function whereToStart(start: GapStart | undefined): string {
  if (start === undefined) return 'no version in cold storage has them';
  return `version ${String(start.version)} in cold storage has them, start from it and go on since ${start.since}`;
}

function changesOf({ segment, sequence, record }: ScannedRecord): MadeChange[] {
  switch (record.kind) {
    case 'data':
      return record.writes.map((write, index) => ({ kind: 'write', segment, sequence, index, ...writeOf(write) }));
    case 'claim': {
      if (record.creation === undefined) return [];
      const { schema, sql, timeMs } = record.creation;
      return [{ kind: 'created', segment, sequence, at: instant(timeMs), schema, sql }];
    }
    case 'intent': {
      const { version, sha256 } = record.state;
      return record.adopted ? [{ kind: 'based', segment, sequence, version, sha256 }] : [];
    }
    case 'shredded':
      return [{ kind: 'shredded', segment, sequence }];
    case 'closed':
      return [];
  }
}

function writeOf({ requestId, timeMs, request, results }: RecordedWrite) {
  const statements =
    request.kind === 'script'
      ? splitScript(request.sql).map(({ text }) => ({ sql: text }))
      : request.statements.map(({ sql, params }) => ({
          sql,
          ...(params === undefined ? {} : { params: fromSqlParams(params) }),
        }));
  return {
    at: instant(timeMs),
    ...(requestId === '' ? {} : { requestId }),
    statements: statements.map((statement, at) => {
      const { changes = 0, lastInsertRowid = 0n } = results[at] ?? {};
      return { ...statement, changes, lastInsertRowid };
    }),
  };
}

function instant(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
