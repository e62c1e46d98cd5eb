import { describe, expect, it } from 'vitest';
import { Appender, type AppenderDeps } from '../../../src/journal/jetstream/appender.ts';
import { type Found, type Letter, type Look, type Outcome } from '../../../src/journal/jetstream/journal-api.ts';
import { errorOf } from '../../contract/journal-support.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const letter: Letter = {
  key: { stream: '1', name: 'a' },
  subject: 'trough.journal.1.a',
  messageId: 'a.1.8',
  expected: 7,
  body: Buffer.from('body'),
  sizeBytes: 100,
};
const stored = (sequence: number): Outcome => ({ kind: 'stored', sequence });
const refused: Outcome = { kind: 'refused' };
const lostAnswer: Outcome = { kind: 'unknown', reason: 'no answer', arrived: true };
const notSent: Outcome = { kind: 'unknown', reason: 'no connection', arrived: false };
const nothing: Look = { kind: 'found', record: undefined };
const record = (sequence: number, messageId: string, after: number | undefined): Look => {
  const found: Found = { sequence, messageId, after, id: messageId.slice(2), body: Buffer.from(''), timeMs: 0 };
  return { kind: 'found', record: found };
};

/** `outcomes`: of the tries, in their order. `looks`: what stands behind the expectation, and last of all, each time it is asked. */
function scripted(outcomes: Outcome[], looks: { next?: Look; last?: Look }[] = [], lostAfterMs = 0) {
  const clock = new ManualClock();
  const tries: Outcome[] = [...outcomes];
  const sent: Letter[] = [];
  let look: { next?: Look; last?: Look } = {};
  const publish = (one: Letter): Promise<Outcome> => {
    sent.push(one);
    const outcome = tries.shift();
    if (outcome === undefined) throw new Error('one try too many');
    return Promise.resolve(outcome);
  };
  const deps: AppenderDeps = {
    api: {
      requests: { connected: true, onConnect: () => () => undefined },
      publish,
      look: (_, from) => {
        if (from !== undefined) look = looks.shift() ?? {};
        return Promise.resolve((from === undefined ? look.last : look.next) ?? nothing);
      },
    },
    shipper: { ship: publish, withdraw: () => false },
    gauge: { add: () => undefined, bytes: 80, ordinaryLimitBytes: 80 },
    ...{ clock, random: () => 0.5, lostAfterMs },
  };
  const ending = new AbortController();
  return { clock, sent, ending, appended: new Appender(deps).append(letter, ending.signal, ending.signal) };
}

describe('an append whose answer is not plain', () => {
  it('is told apart from a fence: a retry that one server refuses and three call a duplicate is looked up', async () => {
    const { clock, sent, appended } = scripted([lostAnswer, refused], [{ next: record(8, 'a.1.8', 7) }]);
    await clock.advance(200);
    expect(await appended).toBe(8);
    expect(sent).toEqual([letter, letter]);
  });

  it('is sent again when three servers only say that something is under way', async () => {
    const last = record(7, 'a.1.7', 6);
    const { clock, appended } = scripted([refused, refused, stored(9)], [{ last }, { last }]);
    await clock.advance(400);
    expect(await appended).toBe(9);
  });

  it('is fenced by another record right behind the expectation', async () => {
    const { appended } = scripted([refused], [{ next: record(8, 'a.2.1', 7), last: record(30, 'a.2.2', 8) }]);
    expect(await errorOf(appended)).toMatchObject({ code: 'JOURNAL_FENCED', context: { expected: 7, found: 30 } });
  });

  it('is fenced for certain also after a lost answer, when that record says that nothing was between', async () => {
    const { clock, appended } = scripted([lostAnswer, refused], [{ next: record(8, 'a.2.1', 7) }]);
    const error = errorOf(appended);
    await clock.advance(200);
    expect((await error).code).toBe('JOURNAL_FENCED');
  });

  it('is unknown when what was right behind the expectation has been purged', async () => {
    const { clock, appended } = scripted([lostAnswer, refused], [{ next: record(9, 'a.2.1', 8) }]);
    const error = errorOf(appended);
    await clock.advance(200);
    expect((await error).code).toBe('JOURNAL_UNKNOWN');
  });

  it('is not called full when an earlier try may have got in', async () => {
    const { clock, appended } = scripted([lostAnswer, { kind: 'full' }], [{ next: record(8, 'a.1.8', 7) }]);
    await clock.advance(200);
    expect(await appended).toBe(8);
    expect((await errorOf(scripted([{ kind: 'full' }]).appended)).code).toBe('JOURNAL_FULL');
  });

  it('goes on when the look fails as well', async () => {
    const failed: Look = { kind: 'failed', reason: 'no leader' };
    const { clock, appended } = scripted(
      [lostAnswer, refused, refused],
      [{ next: failed }, { next: record(8, 'a.1.8', 7) }],
    );
    await clock.advance(400);
    expect(await appended).toBe(8);
  });

  it('believes a leader that is behind only after a time: it may have been deposed', async () => {
    const behind = { last: record(5, 'a.1.5', 4) };
    const { clock, appended } = scripted([refused, refused, stored(8)], [behind, behind], 10_000);
    await clock.advance(400);
    expect(await appended).toBe(8);
    const lost = scripted(Array<Outcome>(500).fill(refused), Array<typeof behind>(500).fill(behind), 10_000);
    const error = errorOf(lost.appended);
    await lost.clock.advance(11_000);
    expect((await error).code).toBe('JOURNAL_LOST');
  });

  it('was not made when the caller gives up before anything could arrive, and is unknown after that', async () => {
    const early = scripted([notSent, notSent]);
    const unsent = errorOf(early.appended);
    await early.clock.advance(10);
    early.ending.abort();
    expect((await unsent).code).toBe('JOURNAL_UNREACHABLE');
    const late = scripted([notSent, lostAnswer, notSent]);
    const unknown = errorOf(late.appended);
    await late.clock.advance(70);
    late.ending.abort();
    expect((await unknown).code).toBe('JOURNAL_UNKNOWN');
  });
});
