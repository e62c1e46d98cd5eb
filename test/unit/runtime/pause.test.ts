import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { pause } from '../../../src/runtime/pause.ts';
import { ManualClock } from '../../support/manual-clock.ts';

test('it lasts as long as it was asked to', async () => {
  const clock = new ManualClock();
  let over = false;
  const pausing = pause(clock, 100).then(() => {
    over = true;
  });
  await clock.advance(99);
  expect(over).toBe(false);
  await clock.advance(1);
  await pausing;
});

test('a signal ends it, and nothing of it stays on the signal or the clock', async () => {
  const clock = new ManualClock();
  const { signal, abort } = controller();
  const pausing = pause(clock, 100, signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  abort();
  await pausing;
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  await pause(clock, 100, signal);
  const other = controller();
  const whole = pause(clock, 100, other.signal);
  await clock.advance(100);
  await whole;
  expect(getEventListeners(other.signal, 'abort')).toEqual([]);
});

function controller(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const made = new AbortController();
  return {
    signal: made.signal,
    abort: () => {
      made.abort();
    },
  };
}
