import { connect, headers, type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFrom } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { growth, memoryOf, processesWith, untilEngineRests } from '../support/engine-processes.ts';
import { openQueries, openRequests } from '../support/query-figures.ts';
import { KNOWN, requestTarget, type RequestTarget } from '../support/request-target.ts';
import { looksComplete, slowReader, type SlowReader } from '../support/slow-reader.ts';

let target: RequestTarget;
let nats: NatsConnection;

const ROUTE = `/v1/segments/${KNOWN}/query`;
const LEGACY = `/?segment=${KNOWN}`;
const MOST_GROWTH_MIB = 60;
/** Longer than any query of this file takes on a slow machine. */
const DEADLINE_MS = 600_000;
const WITHIN_MS = 60_000;
const ENDLESS = 'with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c';

beforeAll(async () => {
  target = await requestTarget();
  // From now on no process but those for queries has it open.
  const { status, text } = await target.manager(`v1/segments/${KNOWN}/release`, { method: 'POST' });
  if (status !== 200) throw new Error(text);
  nats = await connect({ servers: target.run.ready.urls.nats });
});

afterAll(async () => {
  await nats.close();
  await target[Symbol.asyncDispose]();
});

type Headers = Readonly<Record<string, string>>;

function counting(rows: number): string {
  return `with recursive c(x) as (select 1 union all select x + 1 from c limit ${String(rows)}) select x from c`;
}

function ask(path: string, body: string | object, more: Headers = {}): SlowReader {
  const text = typeof body === 'string' ? body : JSON.stringify({ deadlineMs: DEADLINE_MS, ...body });
  return slowReader(target.run.ready.urls.read, path, text, more);
}

/** The answer has begun, and nothing more of it is taken. */
async function begun(path: string, body: string | object, more: Headers = {}): Promise<SlowReader> {
  const reader = ask(path, body, more);
  expect(await reader.head).toContain('200 OK');
  reader.pause();
  return reader;
}

/** Its end, whether or not it looks like one. */
function over(reader: SlowReader): Promise<boolean> {
  return eventually('the end of the answer', () => reader.isClosed() || looksComplete(reader), WITHIN_MS);
}

async function readOn(reader: SlowReader, bytes: number): Promise<void> {
  const goal = reader.received() + bytes;
  reader.resume();
  await eventually('more of the answer', () => reader.received() >= goal || looksComplete(reader), WITHIN_MS);
}

/** Memory is compared with what the processes had when the reader had taken so much: the one that answers may be new. */
const WARM_BYTES = 4_000_000;

describe('a long answer waits for a slow reader, and grows in no process', () => {
  test('ten million rows over HTTP', async () => {
    const { pid } = target.run;
    using reader = await begun(ROUTE, { sql: counting(10_000_000), format: 'csv' });
    await readOn(reader, WARM_BYTES);
    reader.pause();
    await untilEngineRests(pid);
    expect(await openQueries(target.run)).toBe(1);
    const before = await memoryOf(pid);
    let most = 0;
    for (let bytes = 100_000; !looksComplete(reader); bytes = Math.min(bytes * 1.2, 4_000_000)) {
      await readOn(reader, bytes);
      reader.pause();
      most = Math.max(most, growth(before, await memoryOf(pid)));
    }
    expect(reader.tail()).toContain('\n10000000\r\n');
    expect(reader.received()).toBeGreaterThan(88_888_000);
    expect(most).toBeLessThan(MOST_GROWTH_MIB);
  });

  test('three million rows over NATS, at most eight chunks ahead', async () => {
    const { pid } = target.run;
    const inbox = 'slow.reader.inbox';
    const answers = nats.subscribe(inbox);
    nats.publish(`trough.query.${KNOWN}`, counting(3_000_000), { reply: inbox, headers: headers() });
    let before = new Map<number, number>();
    let bytes = 0;
    let most = 0;
    for await (const message of answers) {
      const sequence = Number(message.headers?.get('Trough-Seq'));
      if (bytes < WARM_BYTES && bytes + message.data.length >= WARM_BYTES) {
        await untilEngineRests(pid);
        expect(await openQueries(target.run)).toBe(1);
        expect(answers.getReceived() - answers.getProcessed()).toBeLessThanOrEqual(8);
        before = await memoryOf(pid);
      }
      bytes += message.data.length;
      message.respond();
      if (bytes > WARM_BYTES && sequence % 4 === 0) most = Math.max(most, growth(before, await memoryOf(pid)));
      if (message.headers?.get('Trough-Last') === '1') {
        expect(message.string()).toMatch(/\{"x":3000000\}\]\n$/);
        break;
      }
    }
    expect(bytes).toBeGreaterThan(38_888_000);
    expect(most).toBeLessThan(MOST_GROWTH_MIB);
  });
});

/** Each way to have a long answer over HTTP: a name, a path, what makes its body of the SQL, further headers. */
const FACES: readonly [string, string, (sql: string) => string | object, Headers][] = [
  ['the route of the original', LEGACY, (sql) => sql, {}],
  ...(['json', 'csv'] as const).flatMap((format) =>
    ['identity', 'gzip', 'zstd'].map((encoding): (typeof FACES)[number] => [
      `${format} as ${encoding}`,
      ROUTE,
      (sql) => ({ sql, format }),
      { 'Accept-Encoding': encoding },
    ]),
  ),
];

describe('an answer that fails half-way is cut off, its body without an end', () => {
  test.each(FACES)('at a value that cannot be had: %s', async (_, path, body, more) => {
    using reader = ask(
      path,
      body(`select x from (${counting(300_000)}) union all select abs(-9223372036854775808)`),
      more,
    );
    expect(await reader.head).toContain('200 OK');
    await over(reader);
    expect(reader.received()).toBeGreaterThan(10_000);
    expect(looksComplete(reader)).toBe(false);
  });

  test.each(FACES)('when its process is killed: %s', async (_, path, body, more) => {
    using reader = await begun(path, body(counting(100_000_000)), more);
    const holders = await processesWith(target.run.pid, KNOWN);
    expect(holders).not.toEqual([]);
    for (const pid of holders) process.kill(pid, 'SIGKILL');
    reader.resume();
    await over(reader);
    expect(looksComplete(reader)).toBe(false);
    await eventually('queries to be answered again', async () => {
      const [row] = await readFrom(target.run, KNOWN, 'select 1 as x').catch(() => []);
      return row?.['x'] === 1;
    });
  });

  test('at its deadline, however slowly it is read', async () => {
    using reader = await begun(ROUTE, { sql: counting(100_000_000), deadlineMs: 1_000 });
    await eventually('the end of the query', async () => (await openQueries(target.run)) === 0);
    reader.resume();
    await over(reader);
    expect(looksComplete(reader)).toBe(false);
  });

  test.each([
    ['csv', 'identity'],
    ['json', 'zstd'],
    ['ndjson', 'gzip'],
  ])('at its deadline, though nothing of it is taken: %s as %s', async (format, encoding) => {
    const before = await openRequests(target.run);
    const query = { sql: counting(100_000_000), format, deadlineMs: 1_000 };
    using reader = await begun(ROUTE, query, { 'Accept-Encoding': encoding });
    expect(await openRequests(target.run)).toBe(before + 1);
    await eventually('the end of the request', async () => (await openRequests(target.run)) === before, WITHIN_MS);
    expect(looksComplete(reader)).toBe(false);
  });

  test('at its deadline over NATS, though nothing of it is taken', async () => {
    const inbox = 'stuck.inbox';
    const answers = nats.subscribe(inbox);
    const startedAt = performance.now();
    const query = JSON.stringify({ sql: counting(100_000_000), deadlineMs: 1_000 });
    nats.publish(`trough.query.${KNOWN}`, query, { reply: inbox, headers: headers() });
    const codes: (string | undefined)[] = [];
    for await (const message of answers) {
      codes.push(message.headers?.get('Trough-Error') || undefined);
      if (message.headers?.get('Trough-Last') === '1') break;
    }
    expect(codes.at(-1)).toBe('ENGINE_DEADLINE');
    expect(codes.length).toBeGreaterThan(1);
    // It is not the patience with askers, half a minute, that has ended it.
    expect(performance.now() - startedAt).toBeLessThan(25_000);
  });

  test('but for NDJSON, whose last line is then the error', async () => {
    const sql = `select x from (${counting(300_000)}) union all select abs(-9223372036854775808)`;
    using reader = ask(ROUTE, { sql, format: 'ndjson' });
    await eventually('the end of the answer', () => looksComplete(reader), WITHIN_MS);
    expect(reader.tail()).toContain(
      '{"_trough":{"error":{"code":"SQL_FAILED","message":"integer overflow","context":{"segment":"known"',
    );
  });

  test('and over NATS, where its last message is the error', async () => {
    const sql = `select x from (${counting(300_000)}) union all select abs(-9223372036854775808)`;
    const inbox = 'failing.inbox';
    const answers = nats.subscribe(inbox);
    nats.publish(`trough.query.${KNOWN}`, sql, { reply: inbox, headers: headers() });
    const seen: (string | undefined)[] = [];
    for await (const message of answers) {
      message.respond();
      seen.push(message.headers?.get('Trough-Error') || undefined);
      if (message.headers?.get('Trough-Last') === '1') break;
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toBe('SQL_FAILED');
    expect(seen.slice(0, -1).every((code) => code === undefined)).toBe(true);
  });
});

/** Promised is one second; the rest is for a machine that does much else. */
const FREE_WITHIN_MS = 10_000;

describe('a client that goes away', () => {
  const untilFree = (): Promise<boolean> =>
    eventually('nothing to be asked any more', async () => (await openQueries(target.run)) === 0, FREE_WITHIN_MS);

  test.each(FACES)('ends its answer: %s', async (_, path, body, more) => {
    {
      using reader = await begun(path, body(counting(100_000_000)), more);
      expect(looksComplete(reader)).toBe(false);
      expect(await openQueries(target.run)).toBe(1);
    }
    await untilFree();
  });

  test('ends its query that has no row yet, and those that wait for a process', async () => {
    const readers = Array.from({ length: 12 }, () => ask(ROUTE, { sql: ENDLESS }));
    await eventually('all to have arrived', async () => (await openQueries(target.run)) === readers.length);
    for (const reader of readers) reader[Symbol.dispose]();
    await untilFree();
    await untilEngineRests(target.run.pid);
    expect(await readFrom(target.run, KNOWN, 'select 1 as x')).toEqual([{ x: 1 }]);
  });

  test('over NATS ends its query too', async () => {
    const inbox = 'leaving.inbox';
    const answers = nats.subscribe(inbox);
    nats.publish(`trough.query.${KNOWN}`, counting(100_000_000), { reply: inbox, headers: headers() });
    for await (const message of answers) {
      expect(await openQueries(target.run)).toBe(1);
      message.respond(undefined, { headers: cancelled() });
      break;
    }
    await untilFree();
  });
});

function cancelled(): ReturnType<typeof headers> {
  const all = headers();
  all.set('Trough-Cancel', '1');
  return all;
}
