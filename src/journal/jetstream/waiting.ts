import { type Requests } from './requests.ts';

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
