import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type ActorRef } from '../../../src/runtime/actor.ts';
import { ask, type Reply, replyWith } from '../../../src/runtime/ask.ts';

interface Question {
  readonly kind: 'question';
  readonly reply: Reply<number>;
}

const actor = (send: (message: Question) => boolean): ActorRef<Question> => ({ name: 'oracle', send });
const question = (reply: Reply<number>): Question => ({ kind: 'question', reply });

test('the promise is what the actor replies', async () => {
  const oracle = actor(({ reply }) => {
    reply({ ok: true, value: 42 });
    return true;
  });
  expect(await ask(oracle, question)).toBe(42);
});

test('an error that the actor replies is thrown at the asker', async () => {
  const oracle = actor(({ reply }) => {
    void replyWith(reply, Promise.reject(new TroughError('SEGMENT_UNKNOWN', 'no such segment')));
    return true;
  });
  await expect(ask(oracle, question)).rejects.toMatchObject({ code: 'SEGMENT_UNKNOWN' });
});

test('an actor that cannot take one more is reported as full', async () => {
  const full = actor(() => false);
  await expect(ask(full, question)).rejects.toMatchObject({ code: 'MAILBOX_FULL' });
});

test('what is no error of ours becomes one in a reply', async () => {
  const results: unknown[] = [];
  await replyWith((result) => results.push(result), Promise.reject(new RangeError('odd')));
  expect(results).toEqual([
    { ok: false, error: expect.objectContaining({ code: 'INTERNAL', message: 'odd' }) as unknown },
  ]);
});
