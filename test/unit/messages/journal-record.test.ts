import { expect, test } from 'vitest';
import {
  decodeRecord,
  encodeRecord,
  RECORD_VERSION,
  type SegmentRecord,
} from '../../../src/messages/journal-record.ts';
import { STAMP } from '../../support/stamped.ts';

const head = { epoch: 3, previous: 17 };
const state = { applied: 17, sha256: 'ab', sizeBytes: 4_096, version: 1_795_264_496_789 };
const results = [
  { changes: 1, lastInsertRowid: 9_223_372_036_854_775_807n },
  { changes: 0, lastInsertRowid: -1n },
];

function again(record: SegmentRecord): SegmentRecord {
  return decodeRecord(encodeRecord(record));
}

test('each kind of record comes back as it was', () => {
  const creation = { schema: 'default', sql: 'create table t (x)', timeMs: 1, seed: STAMP.seed };
  const records: SegmentRecord[] = [
    { ...head, kind: 'claim', node: 'n1', session: 'n1-1' },
    { ...head, kind: 'claim', node: 'n1', session: 'n1-1', creation },
    { ...head, kind: 'intent', state, adopted: true },
    { ...head, kind: 'closed', state },
    { ...head, kind: 'shredded' },
  ];
  for (const record of records) expect(again(record)).toEqual(record);
});

test('what was written comes back with every value of its own type', () => {
  const params = [null, 1, 1.5, -0, Infinity, -Infinity, 5n, 2n ** 62n, '', 'ä\u0000\ud800', new Uint8Array([0, 255])];
  const record: SegmentRecord = {
    ...head,
    ...{ kind: 'data', applicationId: 7, sqliteVersion: '3.50.4' },
    writes: [
      { ...STAMP, request: { kind: 'script', sql: 'insert into t values (1); delete from t' }, results },
      {
        ...STAMP,
        requestId: 'other',
        request: {
          kind: 'statements',
          statements: [{ sql: 'insert into t values (?)', params }, { sql: 'x', params: { a: 5n } }, { sql: 'y' }],
        },
        results: [],
      },
    ],
  };
  const decoded = again(record);
  expect(decoded).toEqual({
    ...record,
    writes: record.writes.map((write) => ({ ...write, results: write.results, request: expect.anything() as unknown })),
  });
  const request = decoded.kind === 'data' ? decoded.writes[1]?.request : undefined;
  const statements = request?.kind === 'statements' ? request.statements : [];
  const values = statements[0]?.params as readonly unknown[];
  expect(values.map((value) => (value instanceof Uint8Array ? [...value] : value))).toEqual([
    ...params.slice(0, -1),
    [0, 255],
  ]);
  expect(Object.is(values[3], -0)).toBe(true);
  expect(statements.slice(1)).toEqual([{ sql: 'x', params: { a: 5n } }, { sql: 'y' }]);
});

test('a record of a newer format is refused by name, and so is what is no record', () => {
  const newer = Buffer.from(JSON.stringify({ v: RECORD_VERSION + 1, kind: 'data', ...head }));
  const refused = expect.objectContaining({ code: 'JOURNAL_RECORD_UNREADABLE' }) as unknown;
  expect(() => decodeRecord(newer)).toThrow(/format 2/);
  for (const body of [newer, Buffer.from('{'), Buffer.from('null'), Buffer.from('{"v":1,"kind":"other"}')]) {
    try {
      decodeRecord(body);
      expect.unreachable();
    } catch (error) {
      expect(error).toEqual(refused);
    }
  }
});
