import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { usageOf } from '../support/usage.ts';

/** What one process is to move. */
export interface Transfer {
  readonly system: 'trough' | 'plain';
  readonly way: 'up' | 'down';
  readonly authority: string;
  /** In HDFS. */
  readonly root: string;
  readonly ids: readonly string[];
  readonly inFlight: number;
  /** The content of all of them. */
  readonly file: string;
  readonly sha256: string;
  /** To warm up with. */
  readonly smallFile: string;
  /** Where files come down. */
  readonly scratch: string;
  /** Names this run. */
  readonly run: string;
}

export interface TransferResult {
  readonly seconds: number;
  /** Highest resident memory during the transfer, beyond that before it. */
  readonly grownBytes: number;
  /** User and system time of the process during the transfer. */
  readonly cpuSeconds: number;
}

/** With what the servers needed for it. */
export interface MeasuredTransfer extends TransferResult {
  readonly serverCpuSeconds: number;
}

const PROCESS = join(import.meta.dirname, '..', 'processes', 'cold-transfer.ts');

/** Runs it in a process of its own. BENCH_COLD_PROFILE names a directory for CPU profiles of trough's. */
export async function runTransfer(transfer: Transfer): Promise<MeasuredTransfer> {
  const profiles = process.env['BENCH_COLD_PROFILE'];
  const isProfiled = profiles !== undefined && transfer.system === 'trough';
  const execArgv = isProfiled
    ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${transfer.run}.cpuprofile`]
    : [];
  const before = await serverCpu();
  const child = fork(PROCESS, { execArgv });
  const ended = once(child, 'exit');
  child.send(transfer);
  const told = once(child, 'message') as Promise<[TransferResult]>;
  const [result] = await Promise.race([
    told,
    ended.then(([code]): never => {
      throw new Error(`a transfer ended with ${String(code)}`);
    }),
  ]);
  await ended;
  return { ...result, serverCpuSeconds: (await serverCpu()) - before };
}

/** Of all that the bench has started and that still runs: HDFS. */
async function serverCpu(): Promise<number> {
  return (await usageOf(process.pid)).cpuSeconds - process.cpuUsage().user / 1e6 - process.cpuUsage().system / 1e6;
}
