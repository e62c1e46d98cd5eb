import { type Clock } from '../runtime/clock.ts';
import { type Host } from '../settings/host.ts';
import { type Output } from './output.ts';

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** All that the command line has of the process it runs in. */
export interface CliContext {
  /** Without the program's own name. */
  readonly args: readonly string[];
  readonly host: Host;
  readonly clock: Clock;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at each signal, from now on instead of the end that it would mean. */
  readonly onSignal: (listener: (signal: StopSignal) => void) => void;
  /** Ends the process here and now. */
  readonly exitNow: (code: number) => void;
}
