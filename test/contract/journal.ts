import { describe, expect, it } from 'vitest';
import { type TroughError } from '../../src/errors.ts';
import { manyKeys, purging, reading } from './journal-chains.ts';
import { type OpenJournal, collect, entry, errorOf, fill, newKey, texts, toList } from './journal-support.ts';

/** What every driver of the journal promises. */
export function journalContract(driverName: string, open: OpenJournal): void {
  describe(`journal: ${driverName}`, () => {
    appending(open);
    fencing(open);
    reading(open);
    purging(open);
    bounds(open);
    manyKeys(open);
    endings(open);
  });
}

function appending(open: OpenJournal): void {
  it('keeps what was appended, byte for byte, with growing sequences', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    expect(await journal.last(key)).toBeUndefined();
    const first = await journal.append(key, { id: '1.1', body: Uint8Array.from([0, 255, 13, 10, 0]) }, 0);
    const second = await journal.append(key, { id: '1.2', body: new Uint8Array(0) }, first);
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(first);
    const other = await driver.other();
    expect(await other.last(key)).toMatchObject({
      sequence: second,
      id: '1.2',
      body: expect.objectContaining({ length: 0 }) as unknown,
    });
    const records = await collect(other, key);
    expect(records.map(({ sequence, id, body }) => ({ sequence, id, body: [...body] }))).toEqual([
      { sequence: first, id: '1.1', body: [0, 255, 13, 10, 0] },
      { sequence: second, id: '1.2', body: [] },
    ]);
    expect(records[1]?.timeMs).toBeGreaterThanOrEqual(records[0]?.timeMs ?? Infinity);
    expect(records[0]?.timeMs).toBeGreaterThan(1_600_000_000_000);
  });

  it('takes the same id under another key for another record', async () => {
    await using driver = await open();
    const { journal } = driver;
    const [a, b] = [newKey(journal), newKey(journal)];
    const inOneStream = { ...b, stream: a.stream };
    const first = await journal.append(a, entry('same', 'a'), 0);
    const second = await journal.append(inOneStream, entry('same', 'b'), 0);
    expect(second).toBeGreaterThan(first);
    expect(await texts(journal, a)).toEqual(['a']);
    expect(await texts(journal, inOneStream)).toEqual(['b']);
  });

  it('takes the same append again for the same record, also when others came after it', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const first = await journal.append(key, entry('1'), 0);
    expect(await journal.append(key, entry('1'), 0)).toBe(first);
    await journal.append(key, entry('2'), first);
    expect(await (await driver.other()).append(key, entry('1'), 0)).toBe(first);
    expect(await texts(journal, key)).toEqual(['1', '2']);
  });

  it('appends to one key in the order of the calls', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const first = await journal.append(key, entry('1'), 0);
    const [won, lost] = await Promise.allSettled([
      journal.append(key, entry('2'), first),
      journal.append(key, entry('3'), first),
    ]);
    expect([won.status, lost.status]).toEqual(['fulfilled', 'rejected']);
    expect(await texts(journal, key)).toEqual(['1', '2']);
  });
}

function fencing(open: OpenJournal): void {
  it('refuses a stale expectation as FENCED, says where the key stands, and keeps nothing of it', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const [first = 0, second = 0] = await fill(journal, key, 2);
    const other = await driver.other();
    for (const stale of [0, first]) {
      const error = await errorOf(other.append(key, entry(`late${String(stale)}`), stale));
      expect(error).toMatchObject({
        code: 'JOURNAL_FENCED',
        context: { key: key.name, expected: stale, found: second },
      });
    }
    expect((await collect(journal, key)).map(({ sequence }) => sequence)).toEqual([first, second]);
  });

  it('lets one of many claimants win', async () => {
    await using driver = await open();
    const { journal } = driver;
    const other = await driver.other();
    const key = newKey(journal);
    let last = 0;
    for (let round = 0; round < 5; round += 1) {
      const expected = last;
      const claims = Array.from({ length: 16 }, (_, index) =>
        (index % 2 === 0 ? journal : other).append(key, entry(`${String(round)}.${String(index)}`), expected),
      );
      const outcomes = await Promise.allSettled(claims);
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      const codes = outcomes.flatMap((outcome) =>
        outcome.status === 'rejected' ? [(outcome.reason as TroughError).code] : [],
      );
      expect(won).toHaveLength(1);
      expect(new Set(codes)).toEqual(new Set(['JOURNAL_FENCED']));
      last = won[0] ?? 0;
    }
    expect(await collect(journal, key)).toHaveLength(5);
  });

  it('notices when more is expected than there ever was', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const [only = 0] = await fill(journal, key, 1);
    expect((await errorOf(journal.append(key, entry('x'), only + 1_000))).code).toBe('JOURNAL_LOST');
    expect((await errorOf(journal.append({ ...key, stream: '999' }, entry('x'), 0))).code).toBe('JOURNAL_LOST');
    expect((await errorOf(journal.last({ ...key, stream: '999' }))).code).toBe('JOURNAL_LOST');
  });
}

function bounds(open: OpenJournal): void {
  it('refuses ordinary records when it is nearly full, takes reserved ones and purges, and all again after that', async () => {
    await using driver = await open({ limitBytes: 400_000 });
    const { journal } = driver;
    const key = newKey(journal);
    let last = 0;
    const fillUp = async (reserved: boolean): Promise<TroughError> => {
      for (let count = 0; count < 100; count += 1) {
        try {
          last = await journal.append(key, entry(`f${String(last)}`, 'x'.repeat(10_000), reserved), last);
        } catch (error) {
          return error as TroughError;
        }
      }
      throw new Error('never full');
    };
    expect(await fillUp(false)).toMatchObject({ code: 'JOURNAL_FULL', kind: 'busy' });
    const { bytes, limitBytes, ordinaryLimitBytes } = await journal.state(key.stream);
    expect(limitBytes).toBe(400_000);
    expect(ordinaryLimitBytes).toBe(320_000);
    expect(bytes).toBeGreaterThan(300_000);
    expect(bytes).toBeLessThanOrEqual(331_000);
    last = await journal.append(key, entry('claim', 'me', true), last);
    expect((await errorOf(journal.append(key, entry('ordinary', 'y'.repeat(10_000)), last))).code).toBe('JOURNAL_FULL');
    expect((await fillUp(true)).code).toBe('JOURNAL_FULL');
    await journal.purge(key, last);
    const next = await journal.append(key, entry('ordinary-again', 'z'), last);
    expect((await collect(journal, key)).map(({ sequence }) => sequence)).toEqual([last, next]);
  });

  it('refuses what is too large before anything is sent, with the limit, and takes what just fits', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal, 'n'.repeat(150));
    const limitBytes = journal.recordLimitBytes;
    expect(limitBytes).toBeGreaterThan(1_000_000);
    const id = 'i'.repeat(200);
    const error = await errorOf(journal.append(key, { id, body: new Uint8Array(limitBytes + 1) }, 0));
    expect(error).toMatchObject({ code: 'JOURNAL_TOO_LARGE', kind: 'large', context: { limitBytes } });
    expect(await journal.last(key)).toBeUndefined();
    const body = new Uint8Array(limitBytes).fill(7);
    const sequence = await journal.append(key, { id, body }, 0);
    expect(await journal.last(key)).toMatchObject({ sequence, id });
    expect(Buffer.compare((await collect(journal, key))[0]?.body ?? new Uint8Array(0), body)).toBe(0);
  });

  it('refuses ids and sequences that cannot be', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    for (const id of ['', 'a b', 'a\r\nb', 'é', 'x'.repeat(201)]) {
      expect((await errorOf(journal.append(key, entry(id), 0))).code).toBe('REQUEST_INVALID');
    }
    for (const expected of [-1, 1.5, NaN]) {
      expect((await errorOf(journal.append(key, entry('x'), expected))).code).toBe('REQUEST_INVALID');
    }
    expect((await errorOf(journal.append({ ...key, name: '' }, entry('x'), 0))).code).toBe('REQUEST_INVALID');
    expect(await journal.last(key)).toBeUndefined();
  });

  it('says what a stream holds, to every process the same', async () => {
    await using driver = await open({ limitBytes: 5_000_000 });
    const { journal } = driver;
    const key = newKey(journal);
    const before = await journal.state(key.stream);
    const sequences = await fill(journal, key, 4, 'x'.repeat(1_000));
    const state = await (await driver.other()).state(key.stream);
    expect(state).toMatchObject({
      incarnation: before.incarnation,
      limitBytes: 5_000_000,
      lastSequence: sequences.at(-1),
    });
    expect(state.records - before.records).toBe(4);
    expect(state.bytes - before.bytes).toBeGreaterThan(4_000);
    expect(state.bytes - before.bytes).toBeLessThan(6_000);
  });
}

function endings(open: OpenJournal): void {
  it('appends nothing for a caller who has gone before it began', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const gone = AbortSignal.abort();
    expect((await errorOf(journal.append(key, entry('1'), 0, gone))).code).toBe('JOURNAL_UNREACHABLE');
    expect((await errorOf(journal.last(key, gone))).code).toBe('JOURNAL_UNREACHABLE');
    expect((await errorOf(toList(journal.read(key, { from: 0 }, gone)))).code).toBe('JOURNAL_UNREACHABLE');
    expect(await journal.last(key)).toBeUndefined();
  });

  it('does nothing more when it is closed', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    await journal.append(key, entry('1'), 0);
    const closed = await driver.other();
    await closed[Symbol.asyncDispose]();
    expect((await errorOf(closed.append(key, entry('2'), 1))).code).toBe('STOPPING');
    expect((await errorOf(closed.last(key))).code).toBe('STOPPING');
    expect((await errorOf(closed.purge(key, 1))).code).toBe('STOPPING');
    const closing = await driver.other();
    const keys = Array.from({ length: 30 }, () => newKey(journal));
    const ends = keys.map((other) => errorOf(closing.append(other, entry('1'), 0)));
    await closing[Symbol.asyncDispose]();
    for (const { code } of await Promise.all(ends)) expect(['STOPPING', 'JOURNAL_UNKNOWN']).toContain(code);
    expect(await texts(journal, key)).toEqual(['1']);
  });
}
