// Entry of the process that fetches copies from cold storage: all of its work gives way to that of other processes.
import { readdirSync } from 'node:fs';
import { constants, getPriority, platform, setPriority } from 'node:os';
import { TroughError } from '../errors.ts';
import { createLog } from '../log.ts';
import { systemClock } from '../runtime/clock.ts';
import { type ColdCare } from './cold-care.ts';
import { type ColdStore, type FetchedKnown } from './cold-store.ts';
import { type FetchAnswer, type FetchChildArguments, type FetchMessage, type FetchOrder } from './fetch-orders.ts';
import { openCold } from './open-cold.ts';

/** The parent decides when it ends; a Ctrl-C in a terminal reaches the whole group. */
const IGNORED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function main(): Promise<void> {
  lowerPriority();
  process.on('disconnect', () => process.exit(0));
  for (const signal of IGNORED) process.on(signal, () => undefined);
  const given = JSON.parse(process.argv[2] ?? '') as FetchChildArguments;
  const log = createLog(given.logLevel, given.logFields);
  const cold = await openCold(given.cold, { clock: systemClock, random: Math.random, log });
  const running = new Map<number, AbortController>();
  process.on('message', (message: FetchMessage) => {
    if (message.kind === 'cancel') {
      running.get(message.call)?.abort();
      return;
    }
    const { call, order } = message;
    const abort = new AbortController();
    running.set(call, abort);
    void answer(call, fetchOne(cold, order, abort.signal)).finally(() => {
      running.delete(call);
    });
  });
}

/** Of every thread that there is: on Linux each has its own, which those that it starts begin with. */
function lowerPriority(): void {
  const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority() + constants.priority.PRIORITY_BELOW_NORMAL);
  const threads = platform() === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
  for (const thread of threads) setPriority(thread, niceness);
}

async function fetchOne(
  cold: ColdStore & ColdCare,
  { id, to, sha256, at }: FetchOrder,
  signal: AbortSignal,
): Promise<FetchedKnown> {
  if (at !== undefined) await cold.learn(at);
  return await cold.fetch(id, to, { sha256 }, signal);
}

async function answer(call: number, fetching: Promise<FetchedKnown>): Promise<void> {
  const said: FetchAnswer = await fetching.then(
    (fetched) => ({ call, fetched }),
    (error: unknown) => ({ call, error: TroughError.from(error).toRecord() }),
  );
  // The parent may be gone; 'disconnect' is on its way then.
  process.send?.(said, undefined, undefined, () => undefined);
}

await main();
