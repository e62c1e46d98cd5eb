import { type AddressInfo, type Socket, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectNats } from '../../../src/bus/nats-connection.ts';
import { silentLog } from '../../../src/log.ts';

/** Greets like a nats-server of that kind, and has no responder for anything. */
async function impostor(info: {
  version: string;
  jetstream?: boolean;
}): Promise<{ url: string; greeted: string[] } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const greeted: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    socket.write(`INFO ${JSON.stringify({ server_id: 'x', max_payload: 1_048_576, headers: true, ...info })}\r\n`);
    socket.on('data', (data) => {
      for (const line of data.toString().split('\r\n')) {
        const [verb, , reply] = line.split(' ');
        if (verb === 'CONNECT') greeted.push(line);
        if (verb === 'PING') socket.write('PONG\r\n');
        if (verb === 'PUB') socket.write(`HMSG ${reply ?? ''} 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    greeted,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      });
    },
  };
}

const connectTo = (url: string) => connectNats({ servers: [url], name: 'n1', log: silentLog });

describe('connecting to NATS', () => {
  it.each(['2.9.10', '2.11.4', '1.4.1'])('refuses version %s', async (version) => {
    await using server = await impostor({ version, jetstream: true });
    await expect(connectTo(server.url)).rejects.toMatchObject({ code: 'NATS_SERVER_TOO_OLD', context: { version } });
  });

  it('refuses a server without JetStream', async () => {
    await using server = await impostor({ version: '2.15.2' });
    await expect(connectTo(server.url)).rejects.toMatchObject({ code: 'NATS_SERVER_FAILED' });
  });

  it.each(['2.12.0', '2.15.2', '3.0.0'])('takes version %s', async (version) => {
    await using server = await impostor({ version, jetstream: true });
    await using link = await connectTo(server.url);
    expect(link.status).toBe('connected');
  });

  it('says who it is with what stands in the address', async () => {
    await using server = await impostor({ version: '2.15.2', jetstream: true });
    await using link = await connectTo(`nats://us%40er:pass@${server.url}`);
    expect(link.status).toBe('connected');
    expect(JSON.parse(server.greeted[0]?.slice('CONNECT '.length) ?? '')).toMatchObject({
      user: 'us@er',
      pass: 'pass',
      name: 'n1',
    });
  });

  it('refuses addresses that are none, without showing a password', async () => {
    await expect(connectNats({ servers: [], name: 'n1', log: silentLog })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    const error = await connectTo('nats://user:secret@a b').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(String(error)).not.toContain('secret');
  });
});
