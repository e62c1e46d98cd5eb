import { expect, test } from 'vitest';
import { type BusAnswer, type BusRequest } from '../../../src/bus/bus.ts';
import { MemoryBus } from '../../../src/bus/memory-bus.ts';
import { MemoryHub } from '../../../src/bus/memory-hub.ts';
import { TroughError } from '../../../src/errors.ts';
import { silentLog } from '../../../src/log.ts';
import { type ReadRequest } from '../../../src/messages/reading.ts';
import { makeSubjects } from '../../../src/messages/subjects.ts';
import { encodeWriteAnswer } from '../../../src/messages/write-wire.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';
import { BusCalls } from '../../../src/roles/bus-calls.ts';
import { leaseDocument } from '../../support/fake-cluster.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const subjects = makeSubjects('trough');
const segment = parseSegmentId('s');
const QUERY: ReadRequest = {
  ...{ segment, sql: 'select 1', format: 'rows', bigints: 'digits', consistency: 'strong', hops: 1 },
};

/** What one process asks, and another that answers. */
function scene() {
  const clock = new ManualClock();
  const hub = new MemoryHub();
  const after = (delayMs: number, run: () => void): (() => void) => clock.after(delayMs, run);
  const [bus, other] = [0, 1].map(() => new MemoryBus(hub, { log: silentLog, after }));
  if (bus === undefined || other === undefined) throw new Error('there are two buses');
  const calls = new BusCalls({
    bus,
    subjects,
    clock,
    random: () => 0,
    queryDeadlineMs: 60_000,
    writeDeadlineMs: 1_000,
  });
  const heard: BusRequest[] = [];
  const answer = (
    subject: string,
    make: (request: BusRequest) => unknown,
    headers: BusAnswer['headers'] = {},
  ): void => {
    other.answer({ subject }, async (request) => {
      heard.push(request);
      const made = await make(request);
      const body = made instanceof Uint8Array ? made : Buffer.from(JSON.stringify(made));
      return { headers, body };
    });
  };
  return {
    ...{ clock, calls, heard, answer },
    async [Symbol.asyncDispose](): Promise<void> {
      const closing = Promise.all([bus[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
      await clock.advance(10_000); // The grace time of answers that never come.
      await closing;
    },
  };
}

function code(name: string) {
  return expect.objectContaining({ code: name }) as unknown;
}

test('a request goes to the leader and comes back checked', async () => {
  await using at = scene();
  at.answer('trough.sync.release', () => ({ segment: 's', version: 70 }));
  expect(await at.calls.control.release({ segment: 's' })).toEqual({ segment: 's', version: 70 });
  expect(JSON.parse(Buffer.from(at.heard[0]?.body ?? []).toString())).toEqual({ segment: 's' });
});

test('an answer of another shape is refused, not passed on', async () => {
  await using at = scene();
  at.answer('trough.sync.release', () => ({ segment: 's', version: 'seventy' }));
  await expect(at.calls.control.release({ segment: 's' })).rejects.toEqual(code('REQUEST_INVALID'));
});

test('a request waits for a leader while there is none', async () => {
  await using at = scene();
  const waiting = at.calls.control.release({ segment: 's' });
  await at.clock.advance(5_000);
  let leads = false;
  at.answer('trough.sync.release', () => {
    if (!leads) throw new TroughError('LEADER_UNKNOWN', 'nobody leads');
    return { segment: 's', version: 70 };
  });
  await at.clock.advance(5_000);
  leads = true;
  await at.clock.advance(500);
  expect(await waiting).toEqual({ segment: 's', version: 70 });
});

test('after 15 s without a leader the request fails and says so', async () => {
  await using at = scene();
  const waiting = at.calls.control.release({ segment: 's' }).catch((error: unknown) => error);
  await at.clock.advance(16_000);
  expect(await waiting).toEqual(code('LEADER_UNKNOWN'));
});

test('an error of the leader is the answer, with its code, and is not tried again', async () => {
  await using at = scene();
  at.answer('trough.sync.provision', () => {
    throw new TroughError('SCHEMA_UNKNOWN', "there is no schema 'x'", { schema: 'x' });
  });
  await expect(at.calls.control.provision({ segment: 's' })).rejects.toMatchObject({
    ...{ code: 'SCHEMA_UNKNOWN', message: "there is no schema 'x'" },
  });
  expect(at.heard).toHaveLength(1);
});

test('a node that does not answer is unavailable, whatever is asked of it', async () => {
  await using at = scene();
  const open = { lease: leaseDocument('s'), revision: 1, schemaSql: '', hasBase: false };
  const holder = { segment: 's', epoch: 1, discard: false };
  const write = { segment, request: { kind: 'script', sql: 'x' }, onlyHere: true } as const;
  const asked = [
    at.calls.open('n2', open),
    at.calls.promote('n2', holder),
    at.calls.close('n2', holder),
    at.calls.read('n2', QUERY, new AbortController().signal),
    at.calls.write('n2', write),
  ];
  for (const one of await Promise.allSettled(asked))
    expect(one).toMatchObject({ reason: { code: 'NODE_UNAVAILABLE' } });
});

test('a read is handed on with its hops, and its answer streams back', async () => {
  await using at = scene();
  const headers = { 'Trough-Node': 'n2', 'Trough-Version': '70', 'Trough-Columns': '["x"]' };
  at.answer('trough.node.n2.query.s', () => Buffer.from('rows'), {
    ...headers,
    'Trough-Rows': '1',
    'Trough-Truncated': '0',
  });
  const answer = await at.calls.read('n2', { ...QUERY, hops: 2 }, new AbortController().signal);
  const parts: Uint8Array[] = [];
  for await (const part of answer.body as AsyncIterable<Uint8Array>) parts.push(part);
  expect(Buffer.concat(parts).toString()).toBe('rows');
  expect({ ...answer, summary: answer.summary() }).toMatchObject({
    ...{ node: 'n2', version: '70', columns: ['x'], summary: { rows: 1, truncated: false } },
  });
  expect(at.heard[0]?.headers).toMatchObject({ 'Trough-Hops': '2' });
});

test('a read waits a little longer than its own deadline, so that the error of the other side arrives', async () => {
  await using at = scene();
  at.answer('trough.node.n2.query.s', () => new Promise(() => undefined));
  const reading = at.calls
    .read('n2', { ...QUERY, deadlineMs: 2_000 }, new AbortController().signal)
    .catch((error: unknown) => error);
  let settled = false;
  void reading.then(() => (settled = true));
  await at.clock.advance(2_999);
  expect(settled).toBe(false);
  await at.clock.advance(1);
  expect(await reading).toEqual(code('BUS_TIMEOUT'));
});

test('a write is handed on marked, and its answer comes back exact', async () => {
  await using at = scene();
  const answer = { node: 'n2', sequence: 4, results: [{ changes: 1, lastInsertRowid: 2n ** 60n }] };
  at.answer('trough.node.n2.write.s', () => encodeWriteAnswer(answer));
  const call = { segment, request: { kind: 'script', sql: 'x' }, onlyHere: true } as const;
  expect(await at.calls.write('n2', call)).toEqual(answer);
  expect(at.heard[0]?.headers).toMatchObject({ 'Trough-Hops': '1' });
});

test('a ping says who answers to a name, or that nobody does', async () => {
  await using at = scene();
  at.answer('trough.node.n2.ping', () => ({ node: 'n2', session: 'x' }));
  at.answer('trough.node.n3.ping', () => new Promise(() => undefined));
  expect(await at.calls.ping('n1')).toBeUndefined();
  expect(await at.calls.ping('n2')).toEqual({ node: 'n2', session: 'x' });
  const silent = at.calls.ping('n3');
  await at.clock.advance(1_000);
  expect(await silent).toBeUndefined();
});
