import { expect, test } from 'vitest';
import { ChildServer } from '../../../src/engine/child-server.ts';
import { type QueryMessage, type ServiceHandlers } from '../../../src/engine/messages.ts';
import { creditsFor, FRAME, FrameReader } from '../../../src/engine/protocol.ts';
import { eventually } from '../../support/eventually.ts';
import { numbers, testEngine } from './engine-fixture.ts';

interface Heard {
  readonly type: number;
  readonly bytes: number;
}

/** A child's server in this process, asked one query, with every frame that it has sent. */
function serving(file: string, sql: string): { server: ChildServer; heard: Heard[] } {
  const heard: Heard[] = [];
  const reader = new FrameReader((type, _call, payload) => heard.push({ type, bytes: payload.length }));
  const server = new ChildServer(
    (bytes) => {
      reader.push(Buffer.from(bytes));
    },
    { openFiles: 10 },
    {} as ServiceHandlers,
    () => performance.now(),
  );
  const message: QueryMessage = { file, version: '1', live: false, sql, format: 'legacy', bigints: 'digits' };
  server.receive(FRAME.query, 7, Buffer.from(JSON.stringify(message)));
  server.wake();
  return { server, heard };
}

function credit(server: ChildServer, chunks: number): void {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(chunks);
  server.receive(FRAME.credit, 7, payload);
  server.wake();
}

/** Every turn of the loop that it may have asked for is over. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const LONG = 3_000_000;

test('rows of long values are not read ahead of their reader as many as short ones', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const sql = `select hex(zeroblob(${String(LONG / 2)})) as x from t`;
  const { server, heard } = serving(at.make('s', 'create table t (a); insert into t values (1), (2), (3), (4)'), sql);
  await turns();
  expect(heard.map(({ type }) => type)).toEqual([FRAME.head]);
  for (const { type, after } of [
    { type: FRAME.chunk, after: 2 },
    { type: FRAME.chunk, after: 3 },
  ]) {
    // As much as the reader has taken, no more.
    credit(server, creditsFor(heard.at(-1)?.bytes ?? 0));
    await eventually('the next row', () => heard.length === after);
    await turns();
    expect([heard.length, heard.at(-1)?.type]).toEqual([after, type]);
  }
  server.receive(FRAME.cancel, 7, Buffer.alloc(0));
});

test('rows of short values come in eight chunks before the first is taken', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const sql = 'with recursive c(x) as (select 1 union all select x + 1 from c) select x from c';
  const { server, heard } = serving(at.make('s', 'create table t (a)'), sql);
  await eventually('eight chunks', () => heard.length >= 7);
  await turns();
  const cost = heard.reduce((sum, { bytes }) => sum + creditsFor(bytes), 0);
  expect(cost).toBeGreaterThanOrEqual(8);
  expect(cost).toBeLessThanOrEqual(9);
  server.receive(FRAME.cancel, 7, Buffer.alloc(0));
});

test('an answer of long values reads as it is, however it is taken', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  at.make(
    's',
    `create table t (a); insert into t values ${Array.from({ length: 40 }, (_, a) => `(${String(a)})`).join()}`,
  );
  const text = await at.text({ sql: 'select a, hex(zeroblob(a * 30000)) as x from t order by a' });
  const rows = JSON.parse(`[${text}]`) as { a: number; x: string }[];
  expect(rows.map(({ a, x }) => [a, x.length])).toEqual(Array.from({ length: 40 }, (_, a) => [a, a * 60_000]));
});

test('what is done leaves before a query that was long the last time begins, though its first row comes at once', async () => {
  await using at = await testEngine({ queryChildren: 1 });
  const file = at.make('s', '');
  const writes: number[][] = [];
  const server = new ChildServer(
    (bytes) => {
      const calls: number[] = [];
      new FrameReader((_type, call) => calls.push(call)).push(Buffer.from(bytes));
      writes.push(calls);
    },
    { openFiles: 10 },
    {} as ServiceHandlers,
    () => performance.now(),
  );
  const ask = (call: number, sql: string): void => {
    const message: QueryMessage = { file, version: '1', live: false, sql, format: 'legacy', bigints: 'digits' };
    server.receive(FRAME.query, call, Buffer.from(JSON.stringify(message)));
  };
  const long = `select x from (${numbers(300_000)}) where x = 1 or x = -1`;
  ask(1, 'select 1');
  ask(2, long);
  server.wake();
  // On a slow machine the first one fills a turn.
  await eventually('both are answered', () => writes.flat().length === 2);
  ask(3, 'select 1');
  ask(4, long);
  server.wake();
  await eventually('all are answered', () => writes.flat().length === 4);
  expect(writes.flat()).toEqual([1, 2, 3, 4]);
  expect(writes.filter((calls) => calls.includes(3))).toEqual([[3]]);
});
