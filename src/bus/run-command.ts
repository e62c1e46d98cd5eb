import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly cwd?: string;
}

/** What a short-lived command said; `failure` is a sentence part for a person, undefined when it ended with 0. */
export interface CommandResult {
  readonly stdout: string;
  readonly failure: string | undefined;
}

/** Runs a command to its end, without a shell. Never throws: a command that cannot be run is a failure like any other. */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const { env, timeoutMs: timeout, cwd } = options;
    execFile(
      file,
      args,
      { env: { ...env }, timeout, killSignal: 'SIGKILL', cwd, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({ stdout, failure: error === null ? undefined : explain(file, error, stderr, timeout) });
      },
    );
  });
}

function explain(
  file: string,
  error: Error & { code?: unknown; killed?: boolean },
  stderr: string,
  timeoutMs: number,
): string {
  if (error.code === 'ENOENT') return `${file} is not there`;
  if (error.killed === true) return `${file} did not end within ${String(timeoutMs / 1000)} s`;
  const said = stderr.trim().split('\n').slice(-3).join(' ').trim();
  return said === '' ? `${file} failed: ${error.message.trim()}` : `${file} failed: ${said}`;
}
