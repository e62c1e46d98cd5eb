import { describe, expect, it } from 'vitest';
import { TroughError } from '../../src/errors.ts';
import { eventually } from '../support/eventually.ts';
import { type BusDriver, MB, Pieces, bodyOf, bodyOnly, bytes, fired, patience, text } from './bus-support.ts';
import { codeOf } from './metadata.ts';

/** What every bus does with answers of more than one message. Called by `busContract`. */
export function longAnswersContract(name: string, open: () => Promise<BusDriver>): void {
  describe(`bus over ${name}: long answers`, () => {
    it('brings twenty megabytes whole, from pieces and from one body', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'pieces' }, () =>
        Promise.resolve({ headers: { A: '1' }, body: new Pieces(200, 100_000), trailers: () => ({ Z: '26' }) }),
      );
      a.answer({ subject: 'one' }, () => bodyOnly(Buffer.alloc(20 * MB + 1, 7)));
      await a.flush();
      const reply = await b.request('pieces', bytes(''), patience);
      expect(reply.headers).toMatchObject({ A: '1' });
      const whole = await bodyOf(reply);
      expect(whole.length).toBe(20_000_000);
      for (let piece = 0; piece < 200; piece += 1) expect(whole[piece * 100_000 + 99_999]).toBe((piece + 1) % 251);
      expect(reply.trailers()).toMatchObject({ A: '1', Z: '26' });
      const one = await bodyOf(await b.request('one', bytes(''), patience));
      expect(one.equals(Buffer.alloc(20 * MB + 1, 7))).toBe(true);
    });

    it('waits for a consumer that stops reading: eight chunks are on their way, no more', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const pieces = new Pieces(40, 512 * 1024);
      a.answer({ subject: 'q' }, () => bodyOnly(pieces));
      await a.flush();
      const reply = await b.request('q', bytes(''), patience);
      const reader = reply.body[Symbol.asyncIterator]();
      // Eight chunks sent, and the pieces that the ninth is cut from.
      await eventually('the source is asked for as much as goes out', () => pieces.made >= 9);
      await b.flush();
      await a.flush();
      expect(pieces.made).toBeLessThanOrEqual(10);
      expect((await reader.next()).done).toBe(false);
      await eventually('one more is made', () => pieces.made >= 10);
      await b.flush();
      await a.flush();
      expect(pieces.made).toBeLessThanOrEqual(11);
      let sizeBytes = 512 * 1024;
      for (let step = await reader.next(); step.done !== true; step = await reader.next())
        sizeBytes += step.value.length;
      expect(sizeBytes).toBe(20 * MB);
    });

    it('sends the first bytes before the last are made', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let go: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      a.answer({ subject: 'q' }, () =>
        bodyOnly(
          (async function* () {
            yield bytes('first ');
            await gate;
            yield bytes('last');
          })(),
        ),
      );
      await a.flush();
      const reply = await b.request('q', bytes(''), patience);
      const reader = reply.body[Symbol.asyncIterator]();
      const first = await reader.next();
      expect(first.done === true ? '' : text(first.value)).toBe('first ');
      go();
      const last = await reader.next();
      expect(last.done === true ? '' : text(last.value)).toBe('last');
      expect((await reader.next()).done).toBe(true);
    });

    it('never shows a failure in the middle as a complete answer', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const fail = (after: number) => async () => {
        const body = (async function* () {
          yield* new Pieces(after, 400_000);
          throw new TroughError('ENGINE_DEADLINE', 'the query took too long', { after });
        })();
        return await bodyOnly(body);
      };
      a.answer({ subject: 'early' }, fail(0));
      a.answer({ subject: 'later' }, fail(10));
      await a.flush();
      await expect(b.request('early', bytes(''), patience)).rejects.toMatchObject({
        code: 'ENGINE_DEADLINE',
        context: { after: 0 },
      });
      const reply = await b.request('later', bytes(''), patience);
      await expect(bodyOf(reply)).rejects.toMatchObject({ code: 'ENGINE_DEADLINE', context: { after: 10 } });
    });

    it('ends an answer that has failed while its consumer takes nothing: both sides hear of it', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const pieces = new Pieces(1_000, 512 * 1024);
      const failing = new AbortController();
      a.answer({ subject: 'q' }, () =>
        Promise.resolve({ headers: {}, body: pieces, trailers: () => ({}), failure: failing.signal }),
      );
      await a.flush();
      const reply = await b.request('q', bytes(''), patience);
      await eventually('the source is asked for as much as goes out', () => pieces.made >= 9);
      expect(reply.failure?.aborted).toBe(false);
      failing.abort(new TroughError('ENGINE_DEADLINE', 'the query took too long', { after: 9 }));
      await eventually('the source is closed', () => pieces.isClosed);
      await eventually('the asker has heard of it', () => reply.failure?.aborted);
      expect(reply.failure?.reason).toMatchObject({ code: 'ENGINE_DEADLINE', context: { after: 9 } });
      await expect(bodyOf(reply)).rejects.toMatchObject({ code: 'ENGINE_DEADLINE', context: { after: 9 } });
    });

    it('stops the source when the consumer leaves in the middle', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const pieces = new Pieces(1_000, 512 * 1024);
      let signal: AbortSignal | undefined;
      a.answer({ subject: 'q' }, (request) => {
        signal = request.signal;
        return bodyOnly(pieces);
      });
      await a.flush();
      const reply = await b.request('q', bytes(''), patience);
      for await (const piece of reply.body) {
        expect(piece.length).toBeGreaterThan(0);
        break;
      }
      await eventually('the source is closed', () => pieces.isClosed && signal?.aborted);
      expect(pieces.made).toBeLessThan(20);
    });

    it('ends a body whose source falls silent, at the deadline', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let left: Promise<void> | undefined;
      a.answer({ subject: 'q' }, ({ signal }) => {
        left = fired(signal);
        return bodyOnly(
          (async function* () {
            yield bytes('first');
            await fired(signal);
          })(),
        );
      });
      await a.flush();
      const reply = await b.request('q', bytes(''), { deadlineMs: 200 });
      expect(await codeOf(bodyOf(reply))).toBe('BUS_TIMEOUT');
      await left;
    });

    it('answers what is under way before it closes, and takes nothing new', async () => {
      await using driver = await open();
      const [a, b, c] = driver.buses;
      let finish: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        finish = resolve;
      });
      let isAsked = false;
      a.answer({ subject: 'q', group: 'g' }, async () => {
        isAsked = true;
        await gate;
        // An answer may need others.
        return bodyOnly(await bodyOf(await a.request('p', bytes(''), patience)));
      });
      c.answer({ subject: 'p' }, () => bodyOnly(new Pieces(4, 400_000)));
      await Promise.all([a.flush(), c.flush()]);
      const asked = b.request('q', bytes(''), patience).then(bodyOf);
      await eventually('the handler is asked', () => isAsked);
      const closing = a[Symbol.asyncDispose]();
      await eventually(
        'nothing new is taken',
        async () => (await codeOf(b.request('q', bytes(''), { deadlineMs: 50 }))) === 'BUS_NO_RESPONDERS',
      );
      finish();
      expect(await asked).toHaveLength(1_600_000);
      await closing;
    });

    it('fails what is asked and under way when the bus is closed', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let working: AbortSignal | undefined;
      a.answer({ subject: 'q' }, async ({ signal }) => {
        working = signal;
        await fired(signal);
        throw signal.reason;
      });
      await a.flush();
      const asked = codeOf(b.request('q', bytes(''), patience));
      const signal = await eventually('the handler is asked', () => working);
      await a[Symbol.asyncDispose]();
      await fired(signal);
      expect(await asked).toBe('STOPPING');
      await b[Symbol.asyncDispose]();
      expect(await codeOf(b.request('q', bytes(''), patience))).toBe('STOPPING');
    });
  });
}
