import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/pause.ts';
import { type ProcessTable } from '../runtime/process-table.ts';
import { natsServerArguments } from './nats-server-config.ts';

const POLL_MS = 20;
const KILL_AFTER_MS = 10_000;
const GIVE_UP_AFTER_MS = 15_000;

interface Deps {
  readonly processes: ProcessTable;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Ends servers that run on this very configuration file: a trough that was killed outright leaves its server behind, and two servers on one
 * store damage it without a word. Only for the holder of the store's lock. Error: NATS_SERVER_FAILED when one does not go away.
 */
export async function endOrphanServers(configFile: string, deps: Deps): Promise<void> {
  for (const pid of await deps.processes.withArguments(natsServerArguments(configFile))) {
    deps.log.warn({ pid }, 'ending the nats-server that a killed trough left behind');
    await end(pid, configFile, deps);
  }
}

async function end(pid: number, configFile: string, { processes, clock }: Deps): Promise<void> {
  const began = clock.monotonic();
  let killed = false;
  processes.signal(pid, 'SIGTERM');
  while (
    (await processes.startOf(pid)) !== undefined &&
    (await processes.withArguments(natsServerArguments(configFile))).includes(pid)
  ) {
    const waitedMs = clock.monotonic() - began;
    if (waitedMs > GIVE_UP_AFTER_MS) {
      throw new TroughError(
        'NATS_SERVER_FAILED',
        `the nats-server of an earlier run, process ${String(pid)}, cannot be ended`,
        { pid },
      );
    }
    if (waitedMs > KILL_AFTER_MS && !killed) {
      killed = true;
      processes.signal(pid, 'SIGKILL');
    }
    await pause(clock, POLL_MS);
  }
}
