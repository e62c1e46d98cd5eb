import { type Clock } from '../../runtime/clock.ts';
import { type Requests } from './requests.ts';

/** Waits, or less long when the signal fires. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal.addEventListener('abort', done);
  });
}

export type Connectedness = Pick<Requests, 'connected' | 'onConnect'>;

/** Waits until there is a connection, or until the signal fires. */
export async function whenConnected(requests: Connectedness, signal: AbortSignal): Promise<void> {
  if (requests.connected || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      forget();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const forget = requests.onConnect(done);
    signal.addEventListener('abort', done);
  });
}
