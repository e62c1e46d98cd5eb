import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Hands TCP connections on to a server and counts what goes through, protocol and all. */
export interface CountingProxy extends AsyncDisposable {
  readonly url: string;
  /** Bytes from the clients, and to them. */
  readonly sent: number;
  readonly received: number;
}

export async function countingProxy(server: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(server);
  const sockets = new Set<Socket>();
  const counts = { sent: 0, received: 0 };
  const listener = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (part) => (counts.sent += part.length)).pipe(upstream);
    upstream.on('data', (part) => (counts.received += part.length)).pipe(client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    url: `nats://127.0.0.1:${String((listener.address() as AddressInfo).port)}`,
    get sent() {
      return counts.sent;
    },
    get received() {
      return counts.received;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
