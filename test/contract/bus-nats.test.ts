import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NatsLink, connectNats } from '../../src/bus/nats-connection.ts';
import { NatsBus } from '../../src/bus/nats-bus.ts';
import { TroughError } from '../../src/errors.ts';
import { silentLog } from '../../src/log.ts';
import { eventually } from '../support/eventually.ts';
import { type TestNatsServer, natsServer } from '../support/nats-server.ts';
import { Pieces, bodyOf, bodyOnly, bytes, fired, patience } from './bus-support.ts';
import { busContract } from './bus.ts';
import { codeOf } from './metadata.ts';

const log = silentLog;
let server: TestNatsServer;

beforeAll(async () => {
  server = await natsServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Side extends AsyncDisposable {
  readonly link: NatsLink;
  readonly bus: NatsBus;
}

async function side(url: string, name = 'test'): Promise<Side> {
  const link = await connectNats({ servers: [url], name, log });
  const bus = new NatsBus(link, {
    log,
    graceMs: 300,
    workingMs: 100,
    service: { name: 'trough-reader', version: '1.2.3', description: 'reads' },
  });
  return {
    link,
    bus,
    [Symbol.asyncDispose]: async () => {
      await bus[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

busContract('NATS', async () => {
  const sides = await Promise.all([side(server.url), side(server.url), side(server.url)]);
  const [a, b, c] = sides;
  return {
    buses: [a.bus, b.bus, c.bus],
    vanish: () => a.link.connection.close(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(sides.map((each) => each[Symbol.asyncDispose]()));
    },
  };
});

describe('bus over NATS: other clients', () => {
  it('answers a plain request with one plain message, and an error with readable headers and body', async () => {
    await using a = await side(server.url);
    await using client = await side(server.url);
    a.bus.answer({ subject: 'plain.ok' }, () =>
      Promise.resolve({ headers: { 'Trough-Node': 'n1' }, body: bytes('[{"a":1}]') }),
    );
    a.bus.answer({ subject: 'plain.pieces' }, () => bodyOnly(new Pieces(3, 1_000)));
    a.bus.answer({ subject: 'plain.slow' }, async () => {
      await new Promise<void>((resolve) => {
        AbortSignal.timeout(250).addEventListener('abort', () => {
          resolve();
        });
      });
      return bodyOnly(bytes('slow'));
    });
    a.bus.answer({ subject: 'plain.bad' }, () =>
      Promise.reject(new TroughError('SQL_INVALID', 'near "SELEC"', { line: 1 })),
    );
    await a.bus.flush();
    const nc = client.link.connection;
    const answer = await nc.request('plain.ok', 'SELECT 1', { timeout: 2_000 });
    expect(answer.string()).toBe('[{"a":1}]');
    expect([answer.headers?.get('Trough-Status'), answer.headers?.get('Trough-Node')]).toEqual(['200', 'n1']);
    expect(answer.headers?.has('Trough-Seq')).toBe(false);
    expect((await nc.request('plain.pieces', '', { timeout: 2_000 })).data).toHaveLength(3_000);
    expect((await nc.request('plain.slow', '', { timeout: 2_000 })).string()).toBe('slow');
    const bad = await nc.request('plain.bad', 'SELEC 1', { timeout: 2_000 });
    expect([bad.headers?.get('Trough-Status'), bad.headers?.get('Trough-Error')]).toEqual(['400', 'SQL_INVALID']);
    expect(bad.json()).toEqual({ code: 'SQL_INVALID', message: 'near "SELEC"', context: { line: 1 } });
  });

  it('is listed by the services API, with counts and times of what it answered', async () => {
    await using a = await side(server.url);
    await using client = await side(server.url);
    const endpoint = { subject: 'listed.*', group: 'readers', advertiseAs: 'query' };
    const answering = a.bus.answer(endpoint, async ({ body }) => {
      if (body.length === 0) throw new TroughError('SQL_INVALID', 'empty');
      await client.bus.flush();
      return { headers: {}, body };
    });
    await a.bus.flush();
    for (const body of ['x', 'y', '']) await codeOf(client.bus.request('listed.a', bytes(body), patience));
    const services = client.link.connection.services.client();
    const first = async <T>(list: Promise<AsyncIterable<T>>): Promise<T | undefined> => {
      for await (const one of await list) return one;
      return undefined;
    };
    expect(await first(services.ping('trough-reader'))).toMatchObject({ name: 'trough-reader', version: '1.2.3' });
    const info = await first(services.info('trough-reader'));
    expect(info).toMatchObject({
      description: 'reads',
      endpoints: [{ name: 'query', subject: 'listed.*', queue_group: 'readers' }],
    });
    const stats = await first(services.stats('trough-reader', info?.id));
    expect(stats?.endpoints).toMatchObject([{ num_requests: 3, num_errors: 1, last_error: 'SQL_INVALID: empty' }]);
    expect(stats?.endpoints?.[0]?.average_processing_time).toBeGreaterThan(0);
    answering.unsubscribe();
    await a.bus.flush();
    expect(
      await first(services.ping('trough-reader')).catch((error: unknown) => (error as { code: string }).code),
    ).toBe('503');
  });

  it('stops at once for an asker whose process is gone', async () => {
    await using a = await side(server.url);
    const asker = await side(server.url);
    const pieces = new Pieces(1_000, 512 * 1024);
    let signal: AbortSignal | undefined;
    a.bus.answer({ subject: 'gone' }, (request) => {
      signal = request.signal;
      return bodyOnly(
        (async function* () {
          for await (const piece of pieces) {
            yield piece;
            if (pieces.made === 3) await asker.link.connection.close();
          }
        })(),
      );
    });
    await a.bus.flush();
    asker.bus.request('gone', bytes(''), patience).catch(() => undefined);
    await fired(await eventually('the handler is asked', () => signal));
    expect(pieces.made).toBeLessThan(20);
  });
});

describe('bus over NATS through a crash of the server', () => {
  it('fails what is under way promptly, says so, and works again after the restart', async () => {
    await using own = await natsServer();
    await using a = await side(own.url);
    await using b = await side(own.url);
    const states: string[] = [];
    b.bus.onStatus((status) => states.push(status));
    const pieces = new Pieces(1_000, 512 * 1024);
    a.bus.answer({ subject: 'never' }, () => new Promise(() => undefined));
    a.bus.answer({ subject: 'long' }, () => bodyOnly(pieces));
    a.bus.answer({ subject: 'q' }, ({ body }) => bodyOnly(body));
    await a.bus.flush();
    const never = codeOf(b.bus.request('never', bytes(''), { deadlineMs: 60_000 }));
    const long = await b.bus.request('long', bytes(''), { deadlineMs: 60_000 });
    await own.kill();
    expect(await never).toBe('BUS_UNREACHABLE');
    expect(await codeOf(bodyOf(long))).toBe('BUS_UNREACHABLE');
    await eventually('the source is closed', () => pieces.isClosed);
    expect(await codeOf(b.bus.request('q', bytes(''), patience))).toBe('BUS_UNREACHABLE');
    b.bus.publish('lost', bytes('x'));
    await own.restart();
    await eventually(
      'it answers again',
      async () => (await codeOf(b.bus.request('q', bytes('x'), patience))) === 'none',
    );
    expect(states).toEqual(['disconnected', 'connected']);
  });

  it('keeps trying to reach a server that is not there yet, until told to stop', async () => {
    await using own = await natsServer();
    await own.kill();
    const giveUp = new AbortController();
    const failing = codeOf(connectNats({ servers: [own.url], name: 'x', log, signal: giveUp.signal }));
    const waiting = connectNats({ servers: [own.url], name: 'x', log });
    giveUp.abort();
    expect(await failing).toBe('BUS_UNREACHABLE');
    await own.restart();
    await using link = await waiting;
    expect(link.status).toBe('connected');
    expect(await codeOf(connectNats({ servers: ['nats://a b'], name: 'x', log }))).toBe('CONFIG_INVALID');
  });

  it('refuses a message that is larger than the server takes', async () => {
    await using a = await side(server.url);
    expect(await codeOf(a.bus.request('q', new Uint8Array(1024 * 1024 + 1), patience))).toBe('REQUEST_TOO_LARGE');
  });
});
