import { FAULT_KINDS } from './fault-kinds.ts';
import { run, type RunResult } from './run.ts';

type Say = (text: string) => void;

export interface Simulation {
  readonly seeds: readonly number[];
  /** How much of a failing run's log is shown. */
  readonly lines: number;
  /** Whether one that fails is enough. */
  readonly stopsAtFirst: boolean;
  readonly say: Say;
}

/** Runs the seeds; false when one of them found something. */
export async function simulate({ seeds, lines, stopsAtFirst, say }: Simulation): Promise<boolean> {
  const startedAt = performance.now();
  const totals = new Totals();
  const failed: RunResult[] = [];
  for (const seed of seeds) {
    const result = await run(seed);
    totals.add(result);
    if (result.violation === undefined) continue;
    failed.push(result);
    say(`seed ${String(seed)} FAILED at ${result.violation}`);
    if (stopsAtFirst) break;
  }
  totals.say(say, performance.now() - startedAt);
  const [first] = failed;
  if (first === undefined) return true;
  const end = first.lines.slice(first.lines.length - Math.min(lines, first.lines.length));
  say(
    `\nThe end of the log of seed ${String(first.seed)}; all of it: npm run simulate -- --seed ${String(first.seed)}`,
  );
  for (const line of end) say(line);
  say(
    `\n${String(failed.length)} of ${String(seeds.length)} seeds failed: ${failed.map(({ seed }) => seed).join(', ')}`,
  );
  return false;
}

/** Runs one seed and shows its whole log. */
export async function simulateOne(seed: number, say: Say): Promise<boolean> {
  const result = await run(seed);
  for (const line of result.lines) say(line);
  say(`\nseed ${String(seed)}: ${result.violation ?? 'nothing found'}; log ${result.hash}`);
  return result.violation === undefined;
}

class Totals {
  readonly #faults = new Map<string, { times: number; seeds: number }>();
  readonly #requests = new Map<string, number>();
  #seeds = 0;
  #events = 0;
  #simulatedMs = 0;

  add({ faults, requests, events, simulatedMs }: RunResult): void {
    this.#seeds += 1;
    this.#events += events;
    this.#simulatedMs += simulatedMs;
    for (const [kind, times] of faults) {
      const known = this.#faults.get(kind) ?? { times: 0, seeds: 0 };
      this.#faults.set(kind, { times: known.times + times, seeds: known.seeds + (times > 0 ? 1 : 0) });
    }
    for (const [kind, times] of requests) this.#requests.set(kind, (this.#requests.get(kind) ?? 0) + times);
  }

  say(say: Say, tookMs: number): void {
    say('\nfault                                times   in seeds');
    for (const kind of new Set([...FAULT_KINDS, ...this.#faults.keys()])) {
      const { times, seeds } = this.#faults.get(kind) ?? { times: 0, seeds: 0 };
      say(`${kind.padEnd(34)} ${String(times).padStart(8)} ${String(seeds).padStart(10)}`);
    }
    say('\nrequest                              times');
    for (const [kind, times] of [...this.#requests].sort()) say(`${kind.padEnd(34)} ${String(times).padStart(8)}`);
    const perSecond = (this.#seeds / tookMs) * 1000;
    const faster = this.#simulatedMs / tookMs;
    say(
      `\n${String(this.#seeds)} seeds, ${(this.#simulatedMs / 3_600_000).toFixed(1)} hours, ${String(this.#events)} events ` +
        `in ${(tookMs / 1000).toFixed(1)} s: ${perSecond.toFixed(2)} seeds/s, ${faster.toFixed(0)} times faster than the clock`,
    );
  }
}
