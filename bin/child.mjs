import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/**
 * Runs `file` with this process's own stdin, stdout and stderr, passing signals on; resolves with how it ended.
 * A terminal sends Ctrl-C to the child by itself, so there only SIGTERM is passed on.
 */
export function run(file, args, { env = {}, cwd = process.cwd() } = {}) {
  return new Promise((resolve, reject) => {
    const path = [dirname(file), process.env.PATH].join(delimiter);
    const child = spawn(file, args, { cwd, stdio: 'inherit', env: { ...process.env, PATH: path, ...env } });
    const listeners = FORWARDED.map((signal) => [signal, () => forward(child, signal)]);
    for (const [signal, listener] of listeners) process.on(signal, listener);
    const settle = (then) => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
      then();
    };
    child.once('error', (error) => settle(() => reject(error)));
    child.once('exit', (code, signal) => settle(() => resolve({ code, signal })));
  });
}

function forward(child, signal) {
  if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
}

/** Ends this process the way its child ended. */
export function exitLike({ code, signal }) {
  if (signal === null) {
    process.exitCode = code;
    return;
  }
  process.exitCode = 128 + (constants.signals[signal] ?? 0);
  process.kill(process.pid, signal);
}
