import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';

/** What the system holds a process to; what is left out is not limited. */
export interface ProcessLimits {
  /** Memory beyond what an idle process has mapped, bytes. */
  readonly memoryBytes?: number | undefined;
  /** Size of any one file that it writes, bytes. The process must ignore SIGXFSZ to see an error in place of its end. */
  readonly fileBytes?: number | undefined;
}

/** How processes can be started on this machine. */
export interface Launcher {
  /** Limits are kept. */
  readonly limits: boolean;
  /** A process dies with the thread that started it, whatever it is doing. */
  readonly diesWithParent: boolean;
  /** What to spawn in place of `file` with `args`. The process keeps the id of what is spawned. */
  readonly command: (
    file: string,
    args: readonly string[],
    limits: ProcessLimits,
  ) => { readonly file: string; readonly args: readonly string[] };
}

const SHELL = '/bin/sh';
/** POSIX: KiB for data, blocks of 512 bytes for files. A limit that stands lower already stays. */
const SCRIPT = 'ulimit -c 0; ulimit -d "$1" 2>/dev/null; ulimit -f "$2" 2>/dev/null; shift 2; exec "$@"';
const WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'];
/** Stacks of threads, and what else an idle Node has mapped for writing besides the range for its machine code. */
const IDLE_BYTES = 64 * 2 ** 20;
const PROBE_MS = 5_000;

let found: Launcher | undefined;

/** Tries once what this machine has. Linux with a POSIX shell has limits; with setpriv of util-linux, death with the parent too. */
export function launcher(): Launcher {
  found ??= platform() === 'linux' ? probe() : plain;
  return found;
}

const plain: Launcher = {
  limits: false,
  diesWithParent: false,
  command: (file, args) => ({ file, args }),
};

function probe(): Launcher {
  const codeBytes = codeRangeBytes();
  const through = (prefix: readonly string[]): Launcher['command'] => {
    return (file, args, { memoryBytes, fileBytes }) => ({
      file: SHELL,
      args: [
        '-c',
        SCRIPT,
        SHELL,
        units(memoryBytes === undefined ? undefined : memoryBytes + codeBytes + IDLE_BYTES, 1_024),
        units(fileBytes, 512),
        ...prefix,
        file,
        ...args,
      ],
    });
  };
  if (works(through(WITH_PARENT))) return { limits: true, diesWithParent: true, command: through(WITH_PARENT) };
  if (works(through([]))) return { limits: true, diesWithParent: false, command: through([]) };
  return plain;
}

/** The limits are set, and nothing else is wrong with the line. */
function works(command: Launcher['command']): boolean {
  const probed = command(SHELL, ['-c', 'ulimit -d; ulimit -f'], { memoryBytes: 2 ** 30, fileBytes: 2 ** 20 });
  const { status, stdout } = spawnSync(probed.file, probed.args, { timeout: PROBE_MS, encoding: 'utf8' });
  return status === 0 && !stdout.includes('unlimited');
}

function units(bytes: number | undefined, unit: number): string {
  return bytes === undefined ? 'unlimited' : String(Math.ceil(bytes / unit));
}

/**
 * V8 reserves a range for machine code (512 MiB on x64) that is writable from the start, so that the system counts all of it as data.
 * A child's is as large as ours: it runs the same program.
 */
function codeRangeBytes(): number {
  let most = 0;
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rwxp/.exec(line);
    if (range !== null) most = Math.max(most, parseInt(range[2] ?? '0', 16) - parseInt(range[1] ?? '0', 16));
  }
  return most;
}
