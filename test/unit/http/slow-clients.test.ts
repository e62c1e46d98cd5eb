import { type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { type Exchange } from '../../../src/http/exchange.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { type ReadAnswer } from '../../../src/messages/reading.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { answerOf, fakeReports, noChanges, log, rawConnection, serve } from './fixture.ts';

const CHUNK = Buffer.alloc(64 * 1024, '1,\n');
/** More than all buffers on the way take. */
const MUCH = Buffer.alloc(64 * 1024 * 1024, '1,\n');
const PATIENCE_MS = 300;

interface Target extends AsyncDisposable {
  readonly client: Socket;
  readonly exchange: () => Exchange | undefined;
}

/** A client that has asked and takes nothing. */
async function stuckClient(answer: ReadAnswer, { format = 'csv', patienceMs = PATIENCE_MS } = {}): Promise<Target> {
  let seen: Exchange | undefined;
  const routes = readRoutes({ read: () => Promise.resolve(answer), reports: fakeReports(), changes: noChanges, log });
  const server = await serve(
    (exchange) => {
      seen = exchange;
      return routes(exchange);
    },
    { patienceMs, graceMs: 0 },
  );
  const client = await rawConnection(server);
  client.on('error', () => undefined);
  client.pause();
  const body = JSON.stringify({ sql: 'q', format });
  client.write(
    `POST /v1/segments/s/query HTTP/1.1\r\nHost: h\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
  );
  return {
    client,
    exchange: () => seen,
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** One that has no end, and counts what is taken of it. */
class Endless implements AsyncIterableIterator<Uint8Array> {
  taken = 0;
  isLeft = false;
  readonly #pauseMs: number;

  constructor(pauseMs = 0) {
    this.#pauseMs = pauseMs;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.taken > 0 && this.#pauseMs > 0) {
      await new Promise<void>((resolve) => systemClock.after(this.#pauseMs, resolve));
    }
    this.taken += 1;
    return { done: false, value: CHUNK };
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.isLeft = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function stops(body: Endless): Promise<unknown> {
  let last = -1;
  return eventually('the client to hold it up', () => {
    const isStill = body.taken > 5 && body.taken === last;
    last = body.taken;
    return isStill;
  });
}

describe('a client that takes nothing', () => {
  it.each(['csv', 'ndjson'])('is cut off when its answer fails: %s', async (format) => {
    const body = new Endless();
    const failing = new AbortController();
    await using at = await stuckClient(answerOf(body, { failure: failing.signal }), { format, patienceMs: 60_000 });
    await stops(body);
    failing.abort(new TroughError('ENGINE_DEADLINE', 'the query ran longer than 1 ms'));
    await eventually('the end of its query', () => body.isLeft);
    await eventually('the end of its connection', () => at.exchange()?.response.destroyed);
  });

  it('is cut off after a while, though its answer has not failed', async () => {
    const body = new Endless();
    await using at = await stuckClient(answerOf(body));
    await eventually('the end of its query', () => body.isLeft);
    expect(at.exchange()?.response.destroyed).toBe(true);
  });

  it('is cut off after a while, though its answer is whole', async () => {
    await using at = await stuckClient(answerOf(MUCH));
    await eventually('the end of its connection', () => at.exchange()?.response.destroyed);
  });

  it('is not cut off while there is nothing for it', async () => {
    const body = new Endless(4 * PATIENCE_MS);
    await using at = await stuckClient(answerOf(body));
    await eventually('more of its answer', () => body.taken >= 3);
    expect(at.exchange()?.response.destroyed).toBe(false);
  });
});
