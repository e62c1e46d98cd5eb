import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, loadavg, totalmem } from 'node:os';
import { runCli } from './cli/cli.ts';
import { type StopSignal } from './cli/context.ts';
import { Output } from './cli/output.ts';
import { systemClock } from './runtime/clock.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const code = await runCli({
  args: process.argv.slice(2),
  host: {
    nodePath: process.execPath,
    env: process.env,
    hostname: hostname(),
    pid: process.pid,
    version,
    cores: availableParallelism(),
    load: () => loadavg()[0] ?? 0,
    memoryBytes: process.constrainedMemory() > 0 ? Math.min(process.constrainedMemory(), totalmem()) : totalmem(),
  },
  clock: systemClock,
  stdin: process.stdin,
  stdout: new Output(process.stdout),
  stderr: new Output(process.stderr),
  onSignal: (listener) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] satisfies StopSignal[]) {
      process.on(signal, () => {
        listener(signal);
      });
    }
  },
  exitNow: (exitCode) => process.exit(exitCode),
});
// Everything written has left (`Output.write` waits for it); idle connections would keep the process for seconds.
process.exit(code);
