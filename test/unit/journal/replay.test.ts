import { type Msg, headers } from 'nats';
import { describe, expect, it } from 'vitest';
import { type Look } from '../../../src/journal/jetstream/journal-api.ts';
import { replay } from '../../../src/journal/jetstream/replay.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { errorOf, toList } from '../../contract/journal-support.ts';

const key = { stream: '1', name: 'a' };
const nothing: Look = { kind: 'found', record: undefined };
const beyond: Look = {
  kind: 'found',
  record: { sequence: 50, id: '9', messageId: 'a.9', after: 8, body: Buffer.from(''), timeMs: 0 },
};
const end = { headers: headers(204, 'EOB'), data: new Uint8Array(0) } as unknown as Msg;

function record(sequence: number, previous: number): Msg {
  const said = headers();
  said.append('Nats-Sequence', String(sequence));
  said.append('Nats-Last-Sequence', String(previous));
  said.append('Nats-Msg-Id', `a.${String(sequence)}`);
  said.append('Nats-Time-Stamp', '2026-01-01T00:00:00Z');
  return { headers: said, data: Buffer.from(`body ${String(sequence)}`) } as unknown as Msg;
}

/** `answers`: to each question in its order, then ever the end. */
function read(answers: Msg[][], look: Look, lostAfterMs = 0) {
  const asked: number[] = [];
  const api = {
    nameOf: () => 'J',
    keyNameOf: (subject: string) => subject,
    idOf: (messageId: string) => messageId.slice(2),
    look: () => Promise.resolve(look),
    requests: {
      connected: true,
      onConnect: () => () => undefined,
      open: (_: string, question: Uint8Array | string, { hear }: { hear: (message: Msg) => void }) => {
        asked.push((JSON.parse(String(question)) as { seq: number }).seq);
        const messages = answers.shift() ?? [end];
        queueMicrotask(() => {
          for (const message of messages) hear(message);
        });
        return () => undefined;
      },
    },
  };
  const deps = { api, clock: systemClock, ended: new AbortController().signal, lostAfterMs };
  const sequences = toList(replay(deps, { key, subject: 'a', from: 1, through: 8 })).then((records) =>
    records.map(({ sequence }) => sequence),
  );
  return { asked, sequences };
}

describe('reading a key from servers of which some are behind', () => {
  it('asks again until what it is for has come', async () => {
    const { asked, sequences } = read(
      [[record(2, 0), record(5, 2), end], [end], [end], [record(8, 0), end]],
      nothing,
      60_000,
    );
    expect(await sequences).toEqual([2, 5, 8]);
    expect(asked).toEqual([1, 6, 6, 6]);
  });

  it('asks again from behind the last one when something was lost on the way', async () => {
    const { asked, sequences } = read(
      [
        [record(2, 0), record(8, 5), end],
        [record(5, 0), record(8, 5), end],
      ],
      nothing,
    );
    expect(await sequences).toEqual([2, 5, 8]);
    expect(asked).toEqual([1, 3]);
  });

  it('ends when a record beyond shows that the rest was purged', async () => {
    expect(await read([[record(2, 0), end]], beyond).sequences).toEqual([2]);
  });

  it('says that the journal was lost when it does not go that far', async () => {
    expect((await errorOf(read([[record(2, 0), end]], nothing).sequences)).code).toBe('JOURNAL_LOST');
  });
});
