import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface SideProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

const PROCESSES = join(import.meta.dirname, '..', 'processes');

/** Starts `bench/processes/NAME.ts` and waits until it says where it listens. */
export async function sideProcess(name: string, ...args: readonly string[]): Promise<SideProcess> {
  const child = fork(join(PROCESSES, `${name}.ts`), args);
  const ended = once(child, 'exit');
  const [message] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => {
      throw new Error(`${name} ended with ${String(code)} before it was ready`);
    }),
  ])) as [{ url: string }];
  return { url: message.url, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child, ended) };
}

async function end(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill();
  await ended;
}
