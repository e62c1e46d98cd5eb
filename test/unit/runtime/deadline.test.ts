import { expect, test } from 'vitest';
import { withDeadline } from '../../../src/runtime/deadline.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const untilAborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(signal.reason);
    });
  });

test('work that is done in time has its result, and its signal never fires', async () => {
  const clock = new ManualClock();
  let seen: AbortSignal | undefined;
  const result = await withDeadline(clock, 100, (signal) => {
    seen = signal;
    return Promise.resolve('done');
  });
  await clock.advance(1000);
  expect({ result, aborted: seen?.aborted }).toEqual({ result: 'done', aborted: false });
});

test('the signal fires when the time is over', async () => {
  const clock = new ManualClock();
  const work = withDeadline(clock, 100, untilAborted);
  await clock.advance(100);
  expect(await work).toMatchObject({ name: 'TimeoutError' });
});

test('the signal fires when the outer one does', async () => {
  const outer = new AbortController();
  const work = withDeadline(new ManualClock(), 100, untilAborted, outer.signal);
  outer.abort('enough');
  expect(await work).toBe('enough');
});
