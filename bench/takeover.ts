/**
 * How long writes are held when something goes away, on real processes on this machine, in lines that BENCH_LINES chooses: `kill` (a node of three, SIGKILL), `restart` (the same,
 * SIGTERM), `server` (the leader of the journal, of three nats-servers, SIGKILL), `many` (a node with BENCH_SEGMENTS, default 1,000). BENCH_KILLS: how often (default 20).
 * Ends with 1 when a figure is beyond its limit.
 */
import { conditions } from './support/conditions.ts';
import { isChosen, planFrom, positive } from './support/plan.ts';
import { median } from './support/samples.ts';
import { say } from './support/say.ts';
import { measureEnds, measureServerKills } from './takeover/measure-events.ts';
import { measureMany } from './takeover/measure-many.ts';

const plan = planFrom(process.env);
const times = positive(process.env, 'BENCH_KILLS', 20);
const count = positive(process.env, 'BENCH_SEGMENTS', 1_000);

const lines: Record<string, () => Promise<readonly string[]>> = {
  kill: async () => judge('a node killed', await measureEnds('SIGKILL', times), { medianMs: 12_000, worstMs: 15_000 }),
  restart: async () =>
    judge('a node stopped', await measureEnds('SIGTERM', times), { medianMs: 1_500, worstMs: 1_500 }),
  server: async () =>
    judge("the journal's leader killed", await measureServerKills(times), { medianMs: 10_000, worstMs: 10_000 }),
  many,
};

say(conditions({ troughArgs: [] })[0] ?? '');
const failures: string[] = [];
for (const [name, measure] of Object.entries(lines)) if (isChosen(name, plan)) failures.push(...(await measure()));
for (const failure of failures) say(`failed: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Of each event the longest time that any write took. */
function judge(
  what: string,
  longestMs: readonly number[],
  limit: { readonly medianMs: number; readonly worstMs: number },
): readonly string[] {
  const middle = median(longestMs);
  const worst = Math.max(...longestMs);
  const all = longestMs.toSorted((one, other) => one - other).map(seconds);
  say(
    `${what}, longest pause of a write: median ${seconds(middle)} s, worst ${seconds(worst)} s of ${String(longestMs.length)} (${all.join(' ')})`,
  );
  const found: string[] = [];
  if (middle > limit.medianMs)
    found.push(`${what}: a median of ${seconds(middle)} s in place of ${seconds(limit.medianMs)} s`);
  if (worst > limit.worstMs)
    found.push(`${what}: ${seconds(worst)} s in place of ${seconds(limit.worstMs)} s at worst`);
  return found;
}

async function many(): Promise<readonly string[]> {
  const { firstMs, hotMs, allMs, restartReadyMs, restartMs, restartPssMiB } = await measureMany(count);
  const segments = `${count.toLocaleString('en-US')} writable segments`;
  say(
    `a node with ${segments} restarted: ready after ${seconds(restartReadyMs)} s, all written again after ${seconds(restartMs)} s, PSS ${restartPssMiB.toFixed(0)} MiB`,
  );
  say(
    `a node with ${segments} killed: first write again after ${seconds(firstMs)} s, the 20 in use after ${seconds(hotMs)} s, all after ${seconds(allMs)} s`,
  );
  const found: string[] = [];
  if (firstMs > 15_000) found.push(`the first of ${segments} after ${seconds(firstMs)} s in place of 15 s`);
  if (allMs > 60_000) found.push(`all of ${segments} after ${seconds(allMs)} s in place of 60 s`);
  return found;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(ms < 10_000 ? 2 : 1);
}
