import { type ManualClock } from './manual-clock.ts';

/** Moves time on, a tenth of a second after the other, until the work is done; how long that took, by that clock. */
export async function passUntil(clock: ManualClock, work: Promise<unknown>): Promise<number> {
  const startedAt = clock.now();
  const state = { ended: false };
  const end = (): void => {
    state.ended = true;
  };
  work.then(end, end);
  while (!state.ended) await clock.advance(100);
  await work;
  return clock.now() - startedAt;
}
