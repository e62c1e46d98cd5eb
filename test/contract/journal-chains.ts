import { expect, it, vi } from 'vitest';
import { type TroughError } from '../../src/errors.ts';
import { type JournalRange } from '../../src/journal/journal.ts';
import { type OpenJournal, collect, entry, errorOf, fill, newKey, texts, toList } from './journal-support.ts';
import { inParallel } from './metadata.ts';

/** A purge counts at once, but the server that answers a reading may be behind it. */
const WHEN_PURGED = { timeout: 10_000, interval: 20 };

export function reading(open: OpenJournal): void {
  it('reads a range of one key in order, whatever stands between', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const beside = { ...newKey(journal), stream: key.stream };
    const sequences: number[] = [];
    for (let index = 0; index < 30; index += 1) {
      sequences.push(...(await fill(journal, key, 1, `body ${String(index)}`)));
      await fill(journal, beside, 1);
    }
    const at = (index: number): number => sequences[index] ?? 0;
    const read = async (range: JournalRange): Promise<number[]> =>
      (await collect(journal, key, range)).map(({ sequence }) => sequence);
    expect(await read({ from: 0 })).toEqual(sequences);
    expect(await read({ from: at(10) })).toEqual(sequences.slice(10));
    expect(await read({ from: at(10) + 1 })).toEqual(sequences.slice(11));
    expect(await read({ from: at(3), through: at(12) })).toEqual(sequences.slice(3, 13));
    expect(await read({ from: at(3), through: at(12) + 1 })).toEqual(sequences.slice(3, 13));
    expect(await read({ from: at(29) + 1 })).toEqual([]);
    expect((await errorOf(read({ from: 0, through: at(29) + 100 }))).code).toBe('JOURNAL_LOST');
    expect(await read({ from: at(12), through: at(3) })).toEqual([]);
    expect(await collect(journal, newKey(journal))).toEqual([]);
  });

  it(
    'reads more than a thousand records of one key, also in small sips while others append',
    { timeout: 60_000 },
    async () => {
      await using driver = await open();
      const { journal } = driver;
      const other = await driver.other();
      const key = newKey(journal);
      const sequences = await fill(journal, key, 1_200);
      const read: number[] = [];
      for await (const { sequence } of other.read(key, { from: 0 })) {
        read.push(sequence);
        // A consumer that takes its time, and a key that goes on meanwhile.
        if (read.length % 250 === 0) await fill(journal, key, 3);
      }
      expect(read.slice(0, 1_200)).toEqual(sequences);
      expect(read.length).toBeLessThan(1_216);
      expect(await collect(journal, key)).toHaveLength(1_212);
    },
  );

  it('reads nothing more when the consumer has had enough', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    await fill(journal, key, 300);
    for await (const { sequence } of journal.read(key, { from: 0 })) {
      expect(sequence).toBeGreaterThan(0);
      break;
    }
    expect(await collect(journal, key)).toHaveLength(300);
  });

  it('ends early behind as much as is wanted, and never before the first record', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const sequences = await fill(journal, key, 20, 'x'.repeat(1_000));
    const read = async (most: JournalRange['most'], from = 0): Promise<number[]> =>
      (await collect(journal, key, { from, ...(most === undefined ? {} : { most }) })).map(({ sequence }) => sequence);
    expect(await read({ records: 7, bytes: 1_000_000 })).toEqual(sequences.slice(0, 7));
    expect(await read({ records: 1_000, bytes: 1 })).toEqual(sequences.slice(0, 1));
    const some = await read({ records: 1_000, bytes: 5_000 }, sequences[2]);
    expect(some.length).toBeGreaterThan(1);
    expect(some.length).toBeLessThan(8);
    expect(some).toEqual(sequences.slice(2, 2 + some.length));
    expect(await read({ records: 1_000, bytes: 1_000_000 }, sequences[15])).toEqual(sequences.slice(15));
  });

  it('reads all keys of a stream in the order in which they were written, each with its name', async () => {
    await using driver = await open();
    const { journal } = driver;
    const one = newKey(journal, 'one');
    const two = { ...newKey(journal, 'two'), stream: one.stream };
    const written: { sequence: number; name: string }[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (const key of [one, two]) {
        const [sequence = 0] = await fill(journal, key, 1);
        written.push({ sequence, name: key.name });
      }
    }
    const read = async (range: JournalRange): Promise<unknown[]> =>
      (await toList(journal.readStream(one.stream, range)))
        .filter(({ name }) => name === one.name || name === two.name)
        .map(({ sequence, name }) => ({ sequence, name }));
    const first = written[0]?.sequence ?? 0;
    expect(await read({ from: 0 })).toEqual(written);
    expect(await read({ from: first + 1, most: { records: 3, bytes: 1_000_000 } })).toEqual(written.slice(1, 4));
    expect(await read({ from: first, through: written[6]?.sequence ?? 0 })).toEqual(written.slice(0, 7));
    await journal.purge(one, written[4]?.sequence ?? 0);
    await vi.waitFor(async () => {
      expect(await read({ from: first })).toEqual([written[1], written[3], ...written.slice(4)]);
    }, WHEN_PURGED);
    const { lastSequence } = await journal.state(one.stream);
    const ahead = toList(journal.readStream(one.stream, { from: 0, through: lastSequence + 100 }));
    expect((await errorOf(ahead)).code).toBe('JOURNAL_LOST');
  });
}

export function purging(open: OpenJournal): void {
  it('purges below a sequence and leaves the rest, and other keys, alone', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const beside = { ...newKey(journal), stream: key.stream };
    await fill(journal, beside, 3);
    const sequences = await fill(journal, key, 10);
    await journal.purge(key, sequences[4] ?? 0);
    await vi.waitFor(async () => {
      expect((await collect(journal, key)).map(({ sequence }) => sequence)).toEqual(sequences.slice(4));
      expect(await journal.usage(key)).toEqual({ records: 6, bytes: 6 * 'body n'.length });
    }, WHEN_PURGED);
    await journal.purge(key, 0);
    await journal.purge(key, sequences[2] ?? 0);
    await vi.waitFor(async () => {
      expect(await collect(journal, key)).toHaveLength(6);
    }, WHEN_PURGED);
    expect(await collect(journal, beside)).toHaveLength(3);
  });

  it('never purges the last record: the fence stays', async () => {
    await using driver = await open();
    const { journal } = driver;
    const key = newKey(journal);
    const sequences = await fill(journal, key, 3);
    const last = sequences.at(-1) ?? 0;
    await journal.purge(key, last + 1);
    await journal.purge(key, Number.MAX_SAFE_INTEGER);
    expect((await journal.last(key))?.sequence).toBe(last);
    expect((await errorOf(journal.append(key, entry('again'), 0))).code).toBe('JOURNAL_FENCED');
    expect(await journal.append(key, entry('next'), last)).toBeGreaterThan(last);
    await journal.purge(newKey(journal), 1_000);
  });
}

export function manyKeys(open: OpenJournal): void {
  it('keeps the chains of many keys apart when all append at once', async () => {
    await using driver = await open();
    const { journal } = driver;
    const all = Array.from({ length: 64 }, () => newKey(journal));
    const chains = await Promise.all(all.map((key) => fill(journal, key, 12)));
    const other = await driver.other();
    for (const [index, key] of all.entries()) {
      const records = await collect(other, key);
      expect(records.map(({ sequence }) => sequence)).toEqual(chains[index]);
      expect(records.map(({ body }) => Buffer.from(body).toString())).toEqual(
        records.map((_, n) => `body ${String(n)}`),
      );
    }
  });

  it('lets a stale append among many fail alone', async () => {
    await using driver = await open();
    const { journal } = driver;
    const other = await driver.other();
    const all = Array.from({ length: 40 }, () => ({ ...newKey(journal), stream: journal.streams[0] ?? '' }));
    const firsts = await Promise.all(all.map((key) => journal.append(key, entry('1'), 0)));
    const stale = [all[7], all[23]].filter((key) => key !== undefined);
    for (const key of stale) await other.append(key, entry('other'), firsts[all.indexOf(key)] ?? 0);
    const outcomes = await Promise.allSettled(
      all.map((key, index) => journal.append(key, entry('2'), firsts[index] ?? 0)),
    );
    for (const [index, outcome] of outcomes.entries()) {
      const isStale = stale.includes(all[index] ?? newKey(journal));
      expect(outcome.status).toBe(isStale ? 'rejected' : 'fulfilled');
      if (outcome.status === 'rejected') expect((outcome.reason as TroughError).code).toBe('JOURNAL_FENCED');
      expect(await texts(journal, all[index] ?? newKey(journal))).toEqual(['1', isStale ? 'other' : '2']);
    }
  });

  it('names every key that has records, whatever it is called', async () => {
    await using driver = await open({ limitBytes: 5_000_000 });
    const { journal } = driver;
    const [stream = ''] = journal.streams;
    const names = [
      ...Array.from({ length: 200 }, (_, n) => `seg-${String(n)}`),
      'a.b',
      'a b',
      '*',
      '>',
      'é=@+,~',
      '_x',
      '=',
    ];
    await inParallel(names.length, 32, async (index) => {
      await journal.append({ stream, name: names[index] ?? '' }, entry('1'), 0);
    });
    const found = await toList((await driver.other()).keys(stream));
    expect(found.toSorted()).toEqual(names.toSorted());
    expect(await texts(journal, { stream, name: '*' })).toEqual(['1']);
    expect(await toList(journal.keys(journal.streams[1] ?? ''))).toEqual([]);
  });

  it('spreads new keys over the streams, each always to the same', async () => {
    await using driver = await open();
    const { journal } = driver;
    const other = await driver.other();
    expect(journal.streams).toEqual(['1', '2', '3', '4']);
    const counts = new Map<string, number>();
    for (let index = 0; index < 1_000; index += 1) {
      const stream = journal.pickStream(`segment-${String(index)}`);
      expect(other.pickStream(`segment-${String(index)}`)).toBe(stream);
      counts.set(stream, (counts.get(stream) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted()).toEqual(['1', '2', '3', '4']);
    for (const count of counts.values()) expect(count).toBeGreaterThan(150);
  });
}
