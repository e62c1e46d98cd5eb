import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** Stands between a client and a server, and loses what the test wants lost. */
export interface TcpProxy extends AsyncDisposable {
  readonly url: string;
  /** What the client says over its present connections does not arrive any more; they seem to live. */
  mute(): void;
  /** What the server says over the present connections does not arrive any more. */
  deafen(): void;
  /** Ends all connections; new ones pass again. */
  cut(): void;
  /** Ends all connections and refuses new ones, until `open`. */
  close(): void;
  open(): void;
}

interface Pair {
  readonly client: Socket;
  muted: boolean;
  deaf: boolean;
}

export async function tcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target);
  const pairs = new Set<Pair>();
  let refusing = false;
  const server = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    const pair: Pair = { client, muted: false, deaf: false };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('error', end).on('close', end);
    client.on('data', (bytes) => pair.muted || upstream.write(bytes));
    upstream.on('data', (bytes) => pair.deaf || client.write(bytes));
  });
  const cut = (): void => {
    for (const { client } of pairs) client.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `nats://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    mute: () => {
      for (const pair of pairs) pair.muted = true;
    },
    deafen: () => {
      for (const pair of pairs) pair.deaf = true;
    },
    cut,
    close: () => {
      refusing = true;
      cut();
    },
    open: () => {
      refusing = false;
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
