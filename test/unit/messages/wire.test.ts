import { expect, test } from 'vitest';
import { keys, parseKey } from '../../../src/messages/keys.ts';
import {
  answerHeaders,
  answerTrailers,
  decodeAnswer,
  decodeHandedOn,
  decodeQuery,
  encodeHandedOn,
} from '../../../src/messages/query-wire.ts';
import { type ReadAnswer, type ReadRequest } from '../../../src/messages/reading.ts';
import { makeSubjects } from '../../../src/messages/subjects.ts';
import { decodeWrite, decodeWriteAnswer, encodeWrite, encodeWriteAnswer } from '../../../src/messages/write-wire.ts';
import { type WriteCall } from '../../../src/messages/writing.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';

const segment = parseSegmentId('s');
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const BIG = 9_007_199_254_740_993n;

function invalid() {
  return expect.objectContaining({ code: 'REQUEST_INVALID' }) as unknown;
}

test('a query of SQL text is answered as the original answers', () => {
  expect(decodeQuery(segment, bytes('  select 1'))).toEqual({
    ...{ segment, sql: '  select 1', format: 'legacy', bigints: 'digits', consistency: 'strong', hops: 0 },
  });
});

test('a query as an object may say how it is to be answered', () => {
  const body =
    '{"sql":"select ?","params":[1,true,null,{"base64":"AAE="},9007199254740993],"maxRows":5,"consistency":"any","deadlineMs":50}';
  expect(decodeQuery(segment, bytes(body))).toMatchObject({
    ...{ sql: 'select ?', format: 'rows', maxRows: 5, consistency: 'any', deadlineMs: 50 },
    params: [1n, 1n, null, Buffer.from([0, 1]), BIG],
  });
});

test.each([
  '{',
  '{}',
  '{"sql":1}',
  '{"sql":"x","consistency":"some"}',
  '{"sql":"x","maxRows":0}',
  '{"sql":"x","deadlineMs":-1}',
])('the query %s is refused', (body) => {
  expect(() => decodeQuery(segment, bytes(body))).toThrow(invalid());
});

test('what is not UTF-8 is refused', () => {
  expect(() => decodeQuery(segment, Uint8Array.of(0x73, 0xff))).toThrow(invalid());
  expect(() => decodeWrite(segment, Uint8Array.of(0xff), false)).toThrow(invalid());
});

test.each<Partial<ReadRequest>>([
  {},
  { params: [BIG, 'é', null, Buffer.from([0, 255]), 1.5] },
  { params: [5, -5, 5n, 0, -0, 1e21, 1e300, 2 ** 53, -(2n ** 63n)] },
  { params: { ':a': 1, $b: BIG } },
  { format: 'csv', bigints: 'string', consistency: 'any', maxRows: 3, deadlineMs: 12, hops: 2 },
])('a read that is handed on arrives as it was sent: %o', (changes) => {
  const request: ReadRequest = {
    ...{ segment, sql: 'select 1', format: 'rows', bigints: 'digits', consistency: 'strong', hops: 1 },
    ...changes,
  };
  expect(decodeHandedOn(segment, encodeHandedOn(request))).toEqual(request);
});

test('a read that was not handed on, or names another format, is no handed-on read', () => {
  const good = { sql: 'x', format: 'rows', bigints: 'digits', hops: 1 };
  expect(decodeHandedOn(segment, bytes(JSON.stringify(good)))).toMatchObject({ consistency: 'strong' });
  for (const change of [{ hops: 0 }, { format: 'xml' }, { bigints: 'maybe' }]) {
    expect(() => decodeHandedOn(segment, bytes(JSON.stringify({ ...good, ...change })))).toThrow(invalid());
  }
});

test('an answer goes by headers that any wire carries, and comes back as it was', () => {
  const summary = { rows: 12, truncated: true };
  const body = (async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(bytes('x'));
  })();
  const answer: ReadAnswer = {
    node: 'n1',
    version: '70',
    columns: ['größe', '🚀', 'a"b'],
    body,
    summary: () => summary,
  };
  const headers = answerHeaders(answer);
  for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]*$/);
  const back = decodeAnswer({ headers, body, trailers: () => answerTrailers(answer) });
  expect({ ...back, summary: back.summary() }).toEqual({ ...answer, summary });
});

test('an answer that lacks a header is broken', () => {
  const body = (async function* (): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(bytes('x'));
  })();
  const broken = expect.objectContaining({ code: 'BUS_ANSWER_BROKEN' }) as unknown;
  const whole = { 'Trough-Node': 'n', 'Trough-Version': '1', 'Trough-Columns': '[]' };
  for (const name of Object.keys(whole)) {
    expect(() => decodeAnswer({ headers: { ...whole, [name]: undefined }, body, trailers: () => ({}) })).toThrow(
      broken,
    );
  }
  expect(() => decodeAnswer({ headers: whole, body, trailers: () => ({}) }).summary()).toThrow(broken);
});

test('a write is a script as text, or an object with one or several statements', () => {
  expect(decodeWrite(segment, bytes('insert …; delete …'), true)).toEqual({
    ...{ segment, request: { kind: 'script', sql: 'insert …; delete …' }, onlyHere: true },
  });
  expect(decodeWrite(segment, bytes('{"statements":[{"sql":"insert","params":[9007199254740993]}]}'), false)).toEqual({
    ...{ segment, onlyHere: false, deadlineMs: undefined },
    request: { kind: 'statements', statements: [{ sql: 'insert', params: [BIG] }] },
  });
});

test.each([
  '{}',
  '{"statements":[]}',
  '{"script":"x","statements":[{"sql":"y"}]}',
  '{"statements":[{}]}',
  '{"script":1}',
])('the write %s is refused', (body) => {
  expect(() => decodeWrite(segment, bytes(body), false)).toThrow(invalid());
});

test.each<WriteCall['request']>([
  { kind: 'script', sql: '{"looks":"like JSON"}' },
  {
    kind: 'statements',
    statements: [
      { sql: 'a', params: [BIG, Buffer.from([1])] },
      { sql: 'b', params: undefined },
    ],
  },
])('a write that is handed on arrives as it was sent: %o', (request) => {
  const call: WriteCall = { segment, request, deadlineMs: 70, onlyHere: true };
  expect(decodeWrite(segment, encodeWrite(call), true)).toEqual(call);
});

test('the answer of a write keeps its row ids exact', () => {
  const answer = {
    node: 'n1',
    sequence: 8,
    results: [
      { changes: 2, lastInsertRowid: BIG },
      { changes: 0, lastInsertRowid: 0n },
    ],
  };
  expect(Buffer.from(encodeWriteAnswer(answer)).toString()).toContain('9007199254740993');
  expect(decodeWriteAnswer(encodeWriteAnswer(answer))).toEqual(answer);
});

test('keys are tokens, and say again what they were made of', () => {
  expect(keys.lease('a.b c')).toBe('lease.a=2Eb=20c');
  for (const name of ['n1', 'a.b', 'Straße', '=', 'x'.repeat(128)]) {
    expect(parseKey(keys.lease(name))).toEqual({ kind: 'lease', name });
    expect(parseKey(keys.node(name))).toEqual({ kind: 'node', name });
    expect(parseKey(keys.schema(name))).toEqual({ kind: 'schema', name });
    expect(parseKey(keys.drain(name))).toEqual({ kind: 'drain', name });
    expect(parseKey(keys.rule(name))).toEqual({ kind: 'rule', name });
  }
  expect(parseKey(keys.leader)).toEqual({ kind: 'leader', name: '' });
  expect(parseKey(keys.placement)).toEqual({ kind: 'placement', name: '' });
});

test('a key of another kind is nothing of ours, and a name that no token stands for is refused', () => {
  for (const key of ['other.a', 'leader.a', 'nodes', 'x']) expect(parseKey(key)).toBeUndefined();
  expect(() => parseKey('lease.=zz')).toThrow(invalid());
});

test('every subject starts with the prefix and has one token per name', () => {
  const subjects = makeSubjects('p');
  expect([subjects.query('a.b'), subjects.anyQuery]).toEqual(['p.query.a=2Eb', 'p.query.*']);
  expect([subjects.nodeQuery('n.1', 'a b'), subjects.anyNodeQuery('n.1')]).toEqual([
    'p.node.n=2E1.query.a=20b',
    'p.node.n=2E1.query.*',
  ]);
  expect([subjects.write('s'), subjects.anyWrite]).toEqual(['p.write.s', 'p.write.*']);
  expect([subjects.nodeWrite('n', 's'), subjects.anyNodeWrite('n')]).toEqual(['p.node.n.write.s', 'p.node.n.write.*']);
  expect([subjects.sync('provision'), subjects.nodeSync('n', 'shred')]).toEqual([
    'p.sync.provision',
    'p.node.n.sync.shred',
  ]);
  expect([subjects.node('n', 'open'), subjects.assign('n'), subjects.beat('n'), subjects.anyBeat]).toEqual([
    'p.node.n.open',
    'p.assign.n',
    'p.beat.n',
    'p.beat.*',
  ]);
  expect([subjects.roll, subjects.event('take-over')]).toEqual(['p.roll', 'p.event.take-over']);
});
