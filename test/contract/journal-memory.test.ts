import { describe, expect, it } from 'vitest';
import { TroughError } from '../../src/errors.ts';
import { MemoryJournalServer } from '../../src/journal/memory-journal-server.ts';
import { type JournalFate, type JournalLeg, MemoryJournal } from '../../src/journal/memory-journal.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type JournalDriver, type JournalDriverOptions, collect, entry, errorOf, newKey } from './journal-support.ts';
import { journalContract } from './journal.ts';

function open(options: JournalDriverOptions = {}): Promise<JournalDriver> {
  const clock = systemClock;
  const server = new MemoryJournalServer({ clock, recordLimitBytes: 1_040_000, ...options });
  const journals = [new MemoryJournal(server, { clock })];
  return Promise.resolve({
    journal: journals[0] as MemoryJournal,
    other: () => {
      const journal = new MemoryJournal(server, { clock });
      journals.push(journal);
      return Promise.resolve(journal);
    },
    [Symbol.asyncDispose]: async () => {
      for (const journal of journals) await journal[Symbol.asyncDispose]();
    },
  });
}

journalContract('memory', open);

describe('the journal in memory, as a simulator drives it', () => {
  /** Each fate is for one leg, in their order; then all is well. */
  const driven = (fates: (JournalFate | undefined)[]) => {
    const clock = new ManualClock();
    const server = new MemoryJournalServer({ clock });
    const legs: JournalLeg[] = [];
    const fate = (leg: JournalLeg): JournalFate | undefined => {
      legs.push(leg);
      return fates.shift();
    };
    const journal = new MemoryJournal(server, { clock, fate });
    return { clock, server, legs, journal, key: newKey(journal), calm: new MemoryJournal(server, { clock }) };
  };

  it('learns the outcome of an append whose answer was lost', async () => {
    const { clock, legs, journal, key } = driven([undefined, { lost: true }]);
    const appended = journal.append(key, entry('1'), 0);
    await clock.advance(499);
    expect(legs.map(({ way, attempt }) => `${way} ${String(attempt)}`)).toEqual(['there 1', 'back 1']);
    await clock.advance(1);
    expect(await appended).toBe(1);
    expect(await collect(journal, key)).toHaveLength(1);
  });

  it('sends again what never arrived', async () => {
    const { clock, journal, key } = driven([{ lost: true }, { lost: true }]);
    const appended = journal.append(key, entry('1'), 0);
    await clock.advance(1_000);
    expect(await appended).toBe(1);
  });

  it('answers with the sequence when others have appended after a record whose answer was lost', async () => {
    const { clock, journal, key, calm } = driven([undefined, { lost: true }]);
    const appended = journal.append(key, entry('1'), 0);
    await clock.advance(100);
    await calm.append(key, entry('claim'), 1);
    await clock.advance(400);
    expect(await appended).toBe(1);
  });

  it('does not say fenced of a record that may have been there and been purged', async () => {
    const { clock, journal, key, calm } = driven([undefined, { lost: true }]);
    const failed = errorOf(journal.append(key, entry('1'), 0));
    await clock.advance(100);
    await calm.append(key, entry('claim'), 1);
    await calm.purge(key, 2);
    await clock.advance(400);
    expect((await failed).code).toBe('JOURNAL_UNKNOWN');
  });

  it('says that the outcome is unknown when the caller gives up, and the record arrives all the same', async () => {
    const { clock, journal, key, calm } = driven([{ delayMs: 50 }]);
    const ending = new AbortController();
    const failed = errorOf(journal.append(key, entry('1'), 0, ending.signal));
    await clock.advance(10);
    ending.abort();
    await clock.advance(0);
    expect((await failed).code).toBe('JOURNAL_UNKNOWN');
    expect(await calm.last(key)).toBeUndefined();
    await clock.advance(40);
    expect(await calm.last(key)).toMatchObject({ id: '1' });
  });

  it('keeps a late record out when something else was appended first', async () => {
    const { clock, journal, key, calm } = driven([{ delayMs: 50 }]);
    const ending = new AbortController();
    const failed = errorOf(journal.append(key, entry('1'), 0, ending.signal));
    await clock.advance(10);
    ending.abort();
    await calm.append(key, entry('no-op'), 0);
    await clock.advance(100);
    expect((await failed).code).toBe('JOURNAL_UNKNOWN');
    expect((await collect(calm, key)).map(({ id }) => id)).toEqual(['no-op']);
  });

  it('refuses as it is told', async () => {
    const { journal, key } = driven([{ error: new TroughError('JOURNAL_FULL', 'full') }]);
    expect((await errorOf(journal.append(key, entry('1'), 0))).code).toBe('JOURNAL_FULL');
    expect(await journal.append(key, entry('1'), 0)).toBe(1);
  });

  it('waits while the server cannot be reached, and is another journal when the stream was lost', async () => {
    const { clock, server, journal, key } = driven([]);
    const { incarnation } = await journal.state(key.stream);
    const first = await journal.append(key, entry('1'), 0);
    journal.setReachable(false);
    let done = false;
    const second = journal.append(key, entry('2'), first).finally(() => {
      done = true;
    });
    await clock.advance(5_000);
    expect(done).toBe(false);
    journal.setReachable(true);
    await clock.advance(500);
    expect(await second).toBe(2);
    server.lose(key.stream);
    expect((await journal.state(key.stream)).incarnation).not.toBe(incarnation);
    expect((await errorOf(journal.append(key, entry('3'), 2))).code).toBe('JOURNAL_LOST');
  });
});
