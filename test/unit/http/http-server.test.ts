import { connect } from 'node:net';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { eventually } from '../../support/eventually.ts';
import { describe, expect, it } from 'vitest';
import { type Exchange } from '../../../src/http/exchange.ts';
import { startHttpServer } from '../../../src/http/http-server.ts';
import { HttpMetrics } from '../../../src/http/metrics.ts';
import { ask, log, rawConnection, serve } from './fixture.ts';

const echo = async (exchange: Exchange): Promise<void> => {
  exchange.route = 'echo';
  exchange.send({ status: 200, type: 'text/plain', body: await exchange.body() });
};

/** A handler that answers when it is told to. */
function held(): { handler: (exchange: Exchange) => Promise<void>; entered: Promise<Exchange>; release: () => void } {
  const entered = Promise.withResolvers<Exchange>();
  const gate = Promise.withResolvers<undefined>();
  const handler = async (exchange: Exchange): Promise<void> => {
    entered.resolve(exchange);
    await gate.promise;
    exchange.send({ status: 200, type: 'text/plain', body: 'late\n' });
  };
  return {
    handler,
    entered: entered.promise,
    release: () => {
      gate.resolve(undefined);
    },
  };
}

describe('an HTTP port', () => {
  it('says in its URL the host by which others reach it', async () => {
    await using server = await serve(echo, { advertisedHost: 'db1.example.org' });
    expect(server.url).toBe(`http://db1.example.org:${String(server.port)}/`);
    await using six = await serve(echo, { advertisedHost: '::1' });
    expect(six.url).toBe(`http://[::1]:${String(six.port)}/`);
  });

  it('names a port that is in use', async () => {
    await using server = await serve(echo);
    await expect(serve(echo, { port: server.port })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `another process listens on 127.0.0.1:${String(server.port)}`,
    });
  });

  it('refuses an address that is not of this machine', async () => {
    await expect(serve(echo, { host: '192.0.2.1' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('keeps connections open', async () => {
    await using server = await serve(echo);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let turn = 0; turn < 3; turn += 1) {
      const request = httpRequest({ port: server.port, host: '127.0.0.1', agent, method: 'POST' }).end('x');
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      ports.add(request.socket?.localPort);
      await once(response.resume(), 'end');
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it.each([{}, { 'Transfer-Encoding': 'chunked' }, { Expect: '100-continue' }])(
    'lets a client read its refusal of a body over the limit (%j)',
    async (headers) => {
      const code = Promise.withResolvers<string>();
      const handler = async (exchange: Exchange): Promise<void> => {
        await exchange.body().catch((error: unknown) => {
          code.resolve((error as { code: string }).code);
          exchange.send({ status: 413, type: 'text/plain', body: 'too large\n' });
        });
      };
      await using server = await serve(handler, { bodyLimitBytes: 1_000 });
      const got = await ask(server, '/', { body: 'x'.repeat(3_000_000), headers });
      expect([got.status, got.body, got.broken]).toEqual([413, 'too large\n', false]);
      expect(await code.promise).toBe('REQUEST_TOO_LARGE');
    },
  );

  it('takes a body of exactly the limit', async () => {
    await using server = await serve(echo, { bodyLimitBytes: 1_000 });
    expect((await ask(server, '/', { body: 'x'.repeat(1_000) })).body).toHaveLength(1_000);
  });

  it('aborts the signal when the client goes away, and counts the request as ended', async () => {
    const { handler, entered, release } = held();
    await using server = await serve(handler);
    const socket = await rawConnection(server);
    socket.write('POST /?segment=s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
    const { signal } = await entered;
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    socket.destroy();
    await aborted;
    release();
  });

  it('turns a fault of a handler into a 500 that does not tell its inside', async () => {
    await using server = await serve(() => Promise.reject(new RangeError('secret')));
    const got = await ask(server, '/');
    expect([got.status, got.body]).toEqual([500, '500 Server Error: internal error\n']);
  });
});

describe('the end of an HTTP port', () => {
  it('lets a request in flight be answered, accepts no other, and closes idle connections', async () => {
    const { handler, entered, release } = held();
    const server = await serve(handler);
    const idle = await rawConnection(server);
    const idleClosed = once(idle.resume(), 'close');
    const late = ask(server, '/');
    await entered;
    const stopped = server[Symbol.asyncDispose]();
    await idleClosed;
    await expect(ask(server, '/')).rejects.toThrow('ECONNREFUSED');
    release();
    expect((await late).body).toBe('late\n');
    expect((await late).headers.connection).toBe('close');
    await stopped;
  });

  it('answers under load every request that it has begun', async () => {
    let begun = 0;
    const handler = async (exchange: Exchange): Promise<void> => {
      begun += 1;
      await new Promise((resolve) => setImmediate(resolve));
      exchange.send({ status: 200, type: 'text/plain', body: 'x'.repeat(10_000) });
    };
    const server = await serve(handler);
    const agent = new Agent({ keepAlive: true });
    let answered = 0;
    const client = async (): Promise<void> => {
      for (;;) {
        const request = httpRequest({ port: server.port, host: '127.0.0.1', agent }).end();
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        await once(response.resume(), 'end');
        answered += 1;
        if (answered === 200) void server[Symbol.asyncDispose]();
      }
    };
    await Promise.allSettled(Array.from({ length: 16 }, client));
    await server[Symbol.asyncDispose]();
    agent.destroy();
    expect(answered).toBeGreaterThanOrEqual(200);
    expect(answered).toBe(begun);
  });

  it('lets a streamed answer run to its end', async () => {
    const gate = Promise.withResolvers<undefined>();
    const handler = async ({ response }: Exchange): Promise<void> => {
      response.write('one ');
      await gate.promise;
      response.end('two');
    };
    const server = await serve(handler);
    const request = httpRequest({ port: server.port, host: '127.0.0.1' }).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const stopped = server[Symbol.asyncDispose]();
    gate.resolve(undefined);
    let text = '';
    for await (const part of response) text += String(part);
    await stopped;
    expect(text).toBe('one two');
  });

  it('hands a slow client the whole of an answer that is written already', async () => {
    const body = 'x'.repeat(30_000_000);
    const entered = Promise.withResolvers<undefined>();
    const handler = (exchange: Exchange): Promise<void> => {
      exchange.send({ status: 200, type: 'text/plain', body });
      entered.resolve(undefined);
      return Promise.resolve();
    };
    const server = await serve(handler);
    const request = httpRequest({ port: server.port, host: '127.0.0.1' }).end();
    await entered.promise;
    const stopped = server[Symbol.asyncDispose]();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let size = 0;
    for await (const part of response) size += (part as Buffer).length;
    await stopped;
    expect(size).toBe(body.length);
  });

  it('cuts what is not done when the grace is over, and tells the handler', async () => {
    const { handler, entered } = held();
    const server = await serve(handler, { graceMs: 50 });
    const got = ask(server, '/').catch((error: unknown) => String(error));
    const { signal } = await entered;
    await server[Symbol.asyncDispose]();
    expect(signal.aborted).toBe(true);
    expect(await got).toContain('socket hang up');
  });
});

describe('the probes of every port', () => {
  it('answer for health, and for readiness with the reasons', async () => {
    const ready = (): Promise<{ ready: boolean; reasons: string[] }> =>
      Promise.resolve({ ready: false, reasons: ['no leader'] });
    await using server = await serve(echo, { ready });
    const health = await ask(server, '/healthz', { method: 'GET' });
    expect([health.status, JSON.parse(health.body)]).toEqual([200, { ok: true, node: 'n1' }]);
    const readiness = await ask(server, '/readyz', { method: 'GET' });
    expect([readiness.status, readiness.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(readiness.body)).toEqual({ ready: false, reasons: ['no leader'], node: 'n1' });
  });

  it('leave a POST, or a path with a segment, to the handler', async () => {
    await using server = await serve(echo);
    expect((await ask(server, '/healthz', { body: 'mine' })).body).toBe('mine');
    expect((await ask(server, '/metrics?segment=s', { method: 'GET', body: 'mine' })).body).toBe('mine');
  });

  it('show requests by port, route and status, and the figures that were added', async () => {
    const metrics = new HttpMetrics();
    metrics.gauge('trough_test_children', 'Children.', () => 3);
    metrics.gauges('trough_test_copies', 'Copies.', 'state', () => ({ held: 2, pending: 1 }));
    await using server = await startHttpServer({
      name: 'read',
      host: '127.0.0.1',
      port: 0,
      handler: echo,
      bodyLimitBytes: 10,
      log,
      node: 'n1',
      metrics,
      ready: () => Promise.resolve({ ready: true, reasons: [] }),
    });
    await ask(server, '/some/path');
    const { body, headers } = await ask(server, '/metrics', { method: 'GET' });
    expect(headers['content-type']).toContain('text/plain');
    expect(body).toContain('trough_http_request_seconds_count{port="read",route="echo",status="200"} 1');
    expect(body).toContain('trough_http_in_flight{port="read"} 1');
    expect(body).toContain('trough_test_children 3');
    expect(body).toContain('trough_test_copies{state="pending"} 1');
  });
});

describe('the end of a port', () => {
  it('does nothing that it cannot answer: a request that crosses the end of its connection is not carried out', async () => {
    let done = 0;
    let stop: (() => void) | undefined;
    const server = await serve((exchange) => {
      done += 1;
      // The stop begins while the requests of the other connections wait to be read.
      stop?.();
      exchange.send({ status: 200, type: 'text/plain', body: 'OK\n' });
      return Promise.resolve();
    });
    const request = 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx';
    const sockets = Array.from({ length: 8 }, () => connect(server.port, '127.0.0.1'));
    let answered = 0;
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.on('data', (part: Buffer) => (answered += part.includes('OK\n') ? 1 : 0));
      socket.write(request);
    }
    await eventually('an answer to each', () => answered === sockets.length);
    const closed = sockets.map((socket) => once(socket, 'close'));
    const stopped = new Promise<void>((resolve) => {
      stop = () => {
        stop = undefined;
        void Promise.resolve(server[Symbol.asyncDispose]()).then(resolve);
      };
    });
    for (const socket of sockets) socket.write(request);
    await stopped;
    await Promise.all(closed);
    expect(answered).toBe(done);
  });
});
