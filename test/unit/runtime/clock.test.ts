import { expect, test } from 'vitest';
import { systemClock } from '../../../src/runtime/clock.ts';

test('what happens regularly in one process happens at the same moments, each about when it is due', () => {
  for (const periodMs of [100, 500, 1_000, 1_700, 60_000]) {
    const before = systemClock.monotonic();
    const due = systemClock.untilTick(periodMs);
    const after = systemClock.monotonic();
    const tickMs = Math.min(periodMs, 500);
    expect(Math.abs(due - periodMs)).toBeLessThanOrEqual(tickMs / 2 + (after - before));
    const missed = (before + due) % tickMs;
    expect(Math.min(missed, tickMs - missed)).toBeLessThanOrEqual(after - before + 0.001);
  }
});
