import { describe, expect, it } from 'vitest';
import { connectJournal } from '../support/nats-journal.ts';
import { natsServer } from '../support/nats-server.ts';
import { entry, errorOf, texts } from './journal-support.ts';
import { inParallel } from './metadata.ts';

/** A million of them: TROUGH_JOURNAL_KEYS=1000000. */
const KEYS = Number(process.env['TROUGH_JOURNAL_KEYS'] ?? 100_000);
const STEP = Math.floor(KEYS / 100);

describe('the journal with very many keys', () => {
  it('keeps, finds, names, fences and shortens each, also after a crash', { timeout: 60_000 + KEYS * 2 }, async () => {
    await using server = await natsServer();
    const options = { prefix: 'many', streams: 2, streamLimitBytes: 2_000_000_000 };
    const sequences = new Float64Array(KEYS);
    {
      await using at = await connectJournal([server.url], options);
      const keyOf = (index: number) => ({
        stream: at.journal.pickStream(`seg-${String(index)}`),
        name: `seg-${String(index)}`,
      });
      await inParallel(KEYS, 2_000, async (index) => {
        const first = await at.journal.append(keyOf(index), entry('1', `one ${String(index)}`), 0);
        sequences[index] = await at.journal.append(keyOf(index), entry('2', `two ${String(index)}`), first);
      });
    }
    await server.kill();
    await server.restart();
    await using at = await connectJournal([server.url], options);
    const { journal } = at;
    const keyOf = (index: number) => ({
      stream: journal.pickStream(`seg-${String(index)}`),
      name: `seg-${String(index)}`,
    });
    const named = new Set<string>();
    for (const stream of journal.streams) for await (const name of journal.keys(stream)) named.add(name);
    expect(named.size).toBe(KEYS);
    for (let index = 0; index < KEYS; index += STEP) {
      const key = keyOf(index);
      expect(await journal.last(key)).toMatchObject({ sequence: sequences[index], id: '2' });
      expect((await errorOf(journal.append(key, entry('stale'), 0))).code).toBe('JOURNAL_FENCED');
      expect(await texts(journal, key)).toEqual([`one ${String(index)}`, `two ${String(index)}`]);
      await journal.purge(key, sequences[index] ?? 0);
      expect(await texts(journal, key)).toEqual([`two ${String(index)}`]);
      await journal.append(key, entry('3', 'three'), sequences[index] ?? 0);
    }
    const states = await Promise.all(journal.streams.map((stream) => journal.state(stream)));
    expect(states.reduce((sum, { records }) => sum + records, 0)).toBe(2 * KEYS);
  });
});
