import { systemClock } from '../../src/runtime/clock.ts';

const POLL_MS = 10;

/** Waits for what another process or server does: asks again every 10 ms until the answer is neither undefined nor false, fails after `withinMs`. */
export async function eventually<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 10_000,
): Promise<T> {
  const deadline = systemClock.monotonic() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${String(withinMs)} ms: ${what}`);
    await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve));
  }
}
