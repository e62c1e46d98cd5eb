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

const NEVER = new AbortController().signal;
const WRITE = { segment, request: { kind: 'script', sql: 'x' }, onlyHere: true } as const;
const OPEN = { lease: leaseDocument('s'), revision: 1, schemaSql: '', hasBase: false };
const HOLDER = { segment: 's', epoch: 1, discard: false };

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
  /** Takes requests and never says a word, as a process that hangs. */
  const mute = (subject: string): void => {
    other.subscribe(subject, ({ headers, body }) => heard.push({ subject, headers, body, signal: NEVER }));
  };
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
    ...{ clock, calls, heard, answer, mute, bus, other },
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
  const asked = [
    at.calls.open('n2', OPEN),
    at.calls.promote('n2', HOLDER),
    at.calls.close('n2', HOLDER),
    at.calls.read('n2', QUERY, new AbortController().signal),
    at.calls.write('n2', WRITE),
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

test('a node that takes a request and falls silent is unavailable after 6 s, for a read after 3 s', async () => {
  await using at = scene();
  for (const verb of ['open', 'promote', 'close', 'query.s']) at.mute(`trough.node.n2.${verb}`);
  const control = Promise.allSettled([
    at.calls.open('n2', OPEN),
    at.calls.promote('n2', HOLDER),
    at.calls.close('n2', HOLDER),
  ]);
  const reading = at.calls.read('n2', QUERY, NEVER).catch((error: unknown) => error);
  const settled: string[] = [];
  void reading.then(() => settled.push('read'));
  void control.then(() => settled.push('control'));
  await at.clock.advance(2_999);
  expect(settled).toEqual([]);
  await at.clock.advance(1);
  expect(settled).toEqual(['read']);
  expect(await reading).toMatchObject({ code: 'NODE_UNAVAILABLE', context: { node: 'n2' } });
  await at.clock.advance(3_000);
  expect(settled).toEqual(['read', 'control']);
  for (const one of await control)
    expect(one).toMatchObject({ reason: { code: 'NODE_UNAVAILABLE', context: { node: 'n2' } } });
});

test('a node that works for an hour is waited for', async () => {
  await using at = scene();
  let finish = (): void => undefined;
  at.answer('trough.node.n2.open', async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    return { sizeBytes: 1, created: true };
  });
  const opening = at.calls.open('n2', OPEN);
  await at.clock.advance(600_000);
  finish();
  expect(await opening).toEqual({ sizeBytes: 1, created: true });
});

test('a read on a dropped connection goes elsewhere', async () => {
  await using at = scene();
  at.mute('trough.node.n2.query.s');
  const reading = at.calls.read('n2', QUERY, NEVER).catch((error: unknown) => error);
  at.bus.disconnect();
  expect(await reading).toEqual(code('NODE_UNAVAILABLE'));
  await expect(at.calls.read('n2', QUERY, NEVER)).rejects.toEqual(code('NODE_UNAVAILABLE'));
});

test('a leader that falls silent is asked again for what only reads', async () => {
  await using at = scene();
  at.mute('trough.sync.status');
  at.mute('trough.sync.schema');
  const asked = [at.calls.control.status({}), at.calls.control.schema({ op: 'list' })];
  const failed = Promise.allSettled(asked);
  await at.clock.advance(20_000);
  for (const one of await failed) expect(one).toMatchObject({ reason: { code: 'LEADER_UNKNOWN' } });
  expect(at.heard.map(({ subject }) => subject).sort()).toEqual([
    ...Array.from({ length: 3 }, () => 'trough.sync.schema'),
    ...Array.from({ length: 3 }, () => 'trough.sync.status'),
  ]);
});

test('a leader that falls silent during a change is not asked again, and the error says that the outcome is not known', async () => {
  await using at = scene();
  at.mute('trough.sync.provision');
  at.mute('trough.sync.schema');
  // A standby that handed it on found the same.
  at.answer('trough.sync.release', () => {
    throw new TroughError('LEADER_UNKNOWN', "the leader 'n1' gave no sign of life", { silent: true });
  });
  const failed = Promise.allSettled([
    at.calls.control.provision({ segment: 's' }),
    at.calls.control.schema({ op: 'put', id: 'x', sql: '' }),
    at.calls.control.release({ segment: 's' }),
  ]);
  await at.clock.advance(6_000);
  for (const one of await failed) {
    expect(one).toMatchObject({ reason: { code: 'LEADER_UNKNOWN', context: { silent: true } } });
    expect(one).toMatchObject({ reason: { message: expect.stringContaining('is not known') as unknown } });
  }
  expect(at.heard).toHaveLength(3);
});

test('a write whose holder falls silent, or whose connection drops, has an outcome that is not known', async () => {
  await using at = scene();
  at.mute('trough.node.n2.write.s');
  const silent = at.calls.write('n2', WRITE).catch((error: unknown) => error);
  await at.clock.advance(6_000);
  expect(await silent).toMatchObject({
    ...{ code: 'WRITE_OUTCOME_UNKNOWN', context: { segment: 's', node: 'n2' } },
    message: expect.stringContaining('may or may not have been kept') as unknown,
  });
  const dropped = at.calls.write('n2', WRITE).catch((error: unknown) => error);
  at.bus.disconnect();
  expect(await dropped).toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  // Nothing was sent: it may be repeated.
  await expect(at.calls.write('n2', WRITE)).rejects.toEqual(code('BUS_UNREACHABLE'));
  expect(at.heard).toHaveLength(2);
});

test('a write that is answered unreadably, too late, or by a holder that stops in the middle of it, has an outcome that is not known', async () => {
  await using at = scene();
  at.answer('trough.node.n2.write.s', () => ({ node: 'n2' }));
  await expect(at.calls.write('n2', WRITE)).rejects.toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  let finish = (): void => undefined;
  at.answer('trough.node.n3.write.s', async () => {
    await new Promise<void>((resolve) => (finish = resolve));
    return encodeWriteAnswer({ node: 'n3', sequence: 1, results: [] });
  });
  const late = at.calls.write('n3', WRITE).catch((error: unknown) => error);
  await at.clock.advance(7_000); // Twice the write's own deadline, and 5 s.
  expect(await late).toEqual(code('WRITE_OUTCOME_UNKNOWN'));
  const cut = at.calls.write('n3', WRITE).catch((error: unknown) => error);
  await at.clock.advance(1);
  const closing = at.other[Symbol.asyncDispose]();
  await at.clock.advance(5_001);
  await closing;
  finish();
  expect(await cut).toEqual(code('WRITE_OUTCOME_UNKNOWN'));
});

test('what the holder of a segment says of a write is passed on', async () => {
  await using at = scene();
  at.answer('trough.node.n2.write.s', () => {
    throw new TroughError('STOPPING', 'this node is stopping');
  });
  await expect(at.calls.write('n2', WRITE)).rejects.toEqual(code('STOPPING'));
});

test('a write is handed on marked, and its answer comes back exact', async () => {
  await using at = scene();
  const answer = { node: 'n2', sequence: 4, results: [{ changes: 1, lastInsertRowid: 2n ** 60n }] };
  at.answer('trough.node.n2.write.s', () => encodeWriteAnswer(answer));
  expect(await at.calls.write('n2', WRITE)).toEqual(answer);
  expect(at.heard[0]?.headers).toMatchObject({ 'Trough-Hops': '1' });
});

test('a ping says who answers to a name, or that nobody does', async () => {
  await using at = scene();
  at.answer('trough.node.n2.ping', () => ({ node: 'n2', session: 'x' }));
  at.answer('trough.node.n3.ping', () => new Promise(() => undefined));
  expect(await at.calls.ping('n1')).toBeUndefined();
  expect(await at.calls.ping('n2')).toEqual({ node: 'n2', session: 'x' });
  const silent = at.calls.ping('n3');
  await at.clock.advance(5_000);
  expect(await silent).toBeUndefined();
});

test('one who listens to a name and did not answer at first is asked again', async () => {
  await using at = scene();
  let asked = 0;
  at.answer('trough.node.n2.ping', () => {
    asked += 1;
    return asked < 3 ? new Promise(() => undefined) : { node: 'n2', session: 'x' };
  });
  const answer = at.calls.ping('n2');
  await at.clock.advance(2_000);
  expect([await answer, asked]).toEqual([{ node: 'n2', session: 'x' }, 3]);
});
