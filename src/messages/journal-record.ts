import { z } from 'zod';
import { TroughError } from '../errors.ts';
import {
  type RecordedWrite,
  type SqlParams,
  type SqlValue,
  type StatementResult,
  type WriteRequest,
} from '../model/sql-types.ts';

/** Of this format. A record with a higher one was written by a newer trough and is not guessed at. */
export const RECORD_VERSION = 1;

/** What every record of a segment's chain says. */
export interface RecordHead {
  /** Of the lease under which it was appended; never lower than that of the record before. */
  readonly epoch: number;
  /** The sequence that it was appended behind; 0: it began the chain. */
  readonly previous: number;
}

/** How a segment without a file in cold storage is made. */
export interface Creation {
  readonly schema: string;
  readonly sql: string;
  readonly timeMs: number;
  readonly seed: string;
}

/** A state of the segment, whole, as a file in cold storage. */
export interface PublishedState {
  /** It has applied every record up to this sequence. */
  readonly applied: number;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly version: number;
}

/** One record of a segment's journal. */
export type SegmentRecord = RecordHead &
  (
    | {
        readonly kind: 'data';
        /** The user's own value of that header field, in whose place trough keeps how far it is while the segment is writable. */
        readonly applicationId: number;
        /** Of the SQLite that ran it. */
        readonly sqliteVersion: string;
        readonly writes: readonly RecordedWrite[];
      }
    /** Whoever appends it writes the segment from here on. With `creation` the segment begins here, empty but for its schema. */
    | {
        readonly kind: 'claim';
        readonly node: string;
        readonly session: string;
        readonly creation?: Creation | undefined;
      }
    /** That state is about to be put into cold storage. `adopted`: it was found there, and the segment goes on from it. */
    | { readonly kind: 'intent'; readonly state: PublishedState; readonly adopted: boolean }
    /** Nothing was written behind that state, and nobody writes any more. */
    | { readonly kind: 'closed'; readonly state: PublishedState }
    /** The segment was deleted with all that stands before. */
    | { readonly kind: 'shredded' }
  );

const WireValue = z.union([
  z.null(),
  z.number(),
  z.string(),
  z.object({ i: z.string() }),
  z.object({ r: z.string() }),
  z.object({ b: z.string() }),
]);
type WireValue = z.infer<typeof WireValue>;
const WireParams = z.union([z.array(WireValue), z.record(z.string(), WireValue)]);
type WireParams = z.infer<typeof WireParams>;

const WireWrite = z.object({
  id: z.string(),
  time: z.number(),
  seed: z.string(),
  script: z.string().optional(),
  statements: z.array(z.object({ sql: z.string(), params: WireParams.optional() })).optional(),
  /** Changes and last rowid of each statement, in turns. */
  results: z.array(z.string()),
});
type WireWrite = z.infer<typeof WireWrite>;

const head = { epoch: z.int().positive(), previous: z.int().nonnegative() };
const state = z.object({
  applied: z.int().nonnegative(),
  sha256: z.string(),
  sizeBytes: z.number(),
  version: z.number(),
});
const creation = z.object({ schema: z.string(), sql: z.string(), timeMs: z.number(), seed: z.string() });
const WireRecord = z.discriminatedUnion('kind', [
  z.object({
    ...head,
    kind: z.literal('data'),
    applicationId: z.int(),
    sqlite: z.string(),
    writes: z.array(WireWrite),
  }),
  z.object({
    ...head,
    kind: z.literal('claim'),
    node: z.string(),
    session: z.string(),
    creation: creation.optional(),
  }),
  z.object({ ...head, kind: z.literal('intent'), state, adopted: z.boolean() }),
  z.object({ ...head, kind: z.literal('closed'), state }),
  z.object({ ...head, kind: z.literal('shredded') }),
]);
type WireRecord = z.infer<typeof WireRecord>;

export function encodeRecord(record: SegmentRecord): Uint8Array {
  const wire = record.kind === 'data' ? packData(record) : record;
  return Buffer.from(JSON.stringify({ v: RECORD_VERSION, ...wire }), 'utf8');
}

/** JOURNAL_RECORD_UNREADABLE when this version of trough does not know the format: then nothing behind it may be guessed either. */
export function decodeRecord(body: Uint8Array): SegmentRecord {
  const wire = parse(body);
  return wire.kind === 'data' ? unpackData(wire) : wire;
}

function parse(body: Uint8Array): WireRecord {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (error) {
    throw unreadable('is not JSON', error);
  }
  const version = (value as { v?: unknown } | null)?.v;
  if (version !== RECORD_VERSION) {
    throw unreadable(`is of format ${String(version)}; this trough knows ${String(RECORD_VERSION)}`);
  }
  const result = WireRecord.safeParse(value);
  if (!result.success) throw unreadable(`is not one of ours: ${z.prettifyError(result.error)}`);
  return result.data;
}

function unreadable(why: string, cause?: unknown): TroughError {
  return new TroughError('JOURNAL_RECORD_UNREADABLE', `a record of the journal ${why}`, {}, cause);
}

function packData(record: Extract<SegmentRecord, { kind: 'data' }>): WireRecord {
  const { epoch, previous, kind, applicationId, sqliteVersion, writes } = record;
  return { kind, epoch, previous, applicationId, sqlite: sqliteVersion, writes: writes.map(packWrite) };
}

function unpackData(wire: Extract<WireRecord, { kind: 'data' }>): SegmentRecord {
  const { epoch, previous, kind, applicationId, sqlite, writes } = wire;
  return { epoch, previous, kind, applicationId, sqliteVersion: sqlite, writes: writes.map(unpackWrite) };
}

function packWrite({ requestId, timeMs, seed, request, results }: RecordedWrite): WireWrite {
  const stamp = { id: requestId, time: timeMs, seed };
  const told = results.flatMap(({ changes, lastInsertRowid }) => [String(changes), lastInsertRowid.toString()]);
  if (request.kind === 'script') return { ...stamp, script: request.sql, results: told };
  const statements = request.statements.map(({ sql, params }) =>
    params === undefined ? { sql } : { sql, params: packParams(params) },
  );
  return { ...stamp, statements, results: told };
}

function unpackWrite({ id, time, seed, script, statements, results }: WireWrite): RecordedWrite {
  return {
    ...{ requestId: id, timeMs: time, seed },
    request: script === undefined ? unpackStatements(statements ?? []) : { kind: 'script', sql: script },
    results: unpackResults(results),
  };
}

function unpackStatements(statements: NonNullable<WireWrite['statements']>): WriteRequest {
  return {
    kind: 'statements',
    statements: statements.map(({ sql, params }) =>
      params === undefined ? { sql } : { sql, params: unpackParams(params) },
    ),
  };
}

function unpackResults(told: readonly string[]): StatementResult[] {
  const results: StatementResult[] = [];
  for (let at = 0; at + 1 < told.length; at += 2) {
    results.push({ changes: Number(told[at]), lastInsertRowid: BigInt(told[at + 1] ?? '0') });
  }
  return results;
}

function packParams(params: SqlParams): WireParams {
  if (isPositional(params)) return params.map(packValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, packValue(value)]));
}

function unpackParams(params: WireParams): SqlParams {
  if (Array.isArray(params)) return params.map(unpackValue);
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, unpackValue(value)]));
}

function isPositional(params: SqlParams): params is readonly SqlValue[] {
  return Array.isArray(params);
}

/** JSON has no infinities, no minus zero and no integers beyond 2^53; each comes back as what it was. */
function packValue(value: SqlValue): WireValue {
  if (typeof value === 'bigint') return { i: value.toString() };
  if (value instanceof Uint8Array) return { b: Buffer.from(value).toString('base64') };
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { r: Object.is(value, -0) ? '-0' : String(value) };
  }
  return value;
}

function unpackValue(value: WireValue): SqlValue {
  if (typeof value !== 'object' || value === null) return value;
  if ('i' in value) return BigInt(value.i);
  if ('r' in value) return Number(value.r);
  return Buffer.from(value.b, 'base64');
}
