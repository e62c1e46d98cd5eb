import { expect, test } from 'vitest';
import { type JournalTrace, traceOf } from '../../../src/actors/leader/rebuild/journal-trace.ts';
import { type ChainRecord } from '../../../src/actors/writer/segment-chain.ts';
import { MemoryJournalServer } from '../../../src/journal/memory-journal-server.ts';
import { MemoryJournal } from '../../../src/journal/memory-journal.ts';
import { encodeRecord } from '../../../src/messages/journal-record.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const KEY = { stream: '1', name: 'abc' };
const STATE = { applied: 3, sha256: 'a'.repeat(64), sizeBytes: 8_192, version: 7 };
const CREATION = { schema: 'list', sql: 'create table list (n)', timeMs: 1, seed: '00' };
const data: ChainRecord = { kind: 'data', applicationId: 0, sqliteVersion: '3', writes: [] };

async function traced(...records: readonly ChainRecord[]): Promise<JournalTrace | undefined> {
  await using journal = new MemoryJournal(new MemoryJournalServer({ clock: systemClock }), { clock: systemClock });
  let last = 0;
  for (const [index, record] of records.entries()) {
    const body = encodeRecord({ ...record, epoch: index + 1, previous: last });
    last = await journal.append(KEY, { id: `r${String(index)}`, body }, last);
  }
  return await traceOf(journal, KEY, new AbortController().signal);
}

test('a segment without records has no trace', async () => {
  expect(await traced()).toBeUndefined();
});

test('who claimed last holds it, with writes that may not be published, under a higher epoch than any', async () => {
  const trace = await traced(
    { kind: 'claim', node: 'n1', session: 's', creation: CREATION },
    data,
    { kind: 'claim', node: 'n2', session: 't' },
    { kind: 'intent', state: STATE, adopted: false },
  );
  expect(trace).toMatchObject({ state: 'open', node: 'n2', epoch: 4, published: STATE, hasOpenData: true });
  expect(trace?.creations.map(({ creation }) => creation)).toEqual([CREATION]);
});

test('a segment that was closed is what it was published as', async () => {
  const trace = await traced({ kind: 'claim', node: 'n1', session: 's' }, data, { kind: 'closed', state: STATE });
  expect(trace).toMatchObject({ state: 'closed', published: STATE, hasOpenData: false });
});

test('a segment that was shredded stays so until somebody claims it, and keeps nothing but its schemas', async () => {
  const records: ChainRecord[] = [
    { kind: 'claim', node: 'n1', session: 's', creation: CREATION },
    { kind: 'intent', state: STATE, adopted: false },
    { kind: 'shredded' },
  ];
  const gone = await traced(...records);
  expect(gone).toMatchObject({ state: 'shredded', published: undefined, node: undefined });
  expect(gone?.creations).toHaveLength(1);
  const again = await traced(...records, { kind: 'claim', node: 'n3', session: 'u' });
  expect(again).toMatchObject({ state: 'open', node: 'n3', published: undefined, hasOpenData: false });
});
