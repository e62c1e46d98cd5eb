import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type BusDriver, Pieces, bodyOf, bodyOnly, bytes, fired, text } from './bus-support.ts';

/** The drivers of this contract give a sign of life every 100 ms. */
const options = { deadlineMs: 20_000, silenceMs: 600 };
const LONGER_MS = 900;

/** What every bus does about an answering side that is silent, or only slow. Called by `busContract`. */
export function silenceContract(name: string, open: () => Promise<BusDriver>): void {
  describe(`bus over ${name}: signs of life`, () => {
    it('lets a handler work for longer than the silence that is borne', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q' }, async () => {
        await passed(LONGER_MS);
        return { headers: {}, body: bytes('late') };
      });
      await a.flush();
      expect(text(await bodyOf(await b.request('q', bytes(''), options)))).toBe('late');
    });

    it('lets a body pause for longer than the silence that is borne', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q' }, () =>
        bodyOnly(
          (async function* () {
            yield bytes('first ');
            await passed(LONGER_MS);
            yield bytes('last');
          })(),
        ),
      );
      await a.flush();
      expect(text(await bodyOf(await b.request('q', bytes(''), options)))).toBe('first last');
    });

    it('fails when somebody takes the request and says nothing', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.subscribe('q', () => undefined);
      await a.flush();
      const started = performance.now();
      const asked = b.request('q', bytes(''), { ...options, silenceMs: 200 });
      await expect(asked).rejects.toMatchObject({ code: 'BUS_TIMEOUT', context: { silent: true } });
      const tookMs = performance.now() - started;
      expect(tookMs).toBeGreaterThan(190);
      expect(tookMs).toBeLessThan(5_000);
    });

    it('fails when the answering side vanishes without a word: while it works, and in the middle of a body', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let asked = 0;
      a.answer({ subject: 'work' }, async ({ signal }) => {
        asked += 1;
        await fired(signal);
        throw signal.reason;
      });
      a.answer({ subject: 'body' }, ({ signal }) =>
        bodyOnly(
          (async function* () {
            yield bytes('first');
            await fired(signal);
          })(),
        ),
      );
      await a.flush();
      const working = b.request('work', bytes(''), options);
      const reply = await b.request('body', bytes(''), options);
      const reader = reply.body[Symbol.asyncIterator]();
      expect((await reader.next()).done).toBe(false);
      await eventually('the handler is asked', () => asked === 1);
      const silent = { code: 'BUS_TIMEOUT', context: { silent: true } };
      const both = Promise.all([
        expect(working).rejects.toMatchObject(silent),
        expect(reader.next()).rejects.toMatchObject(silent),
      ]);
      await driver.vanish();
      await both;
    });

    it('does not take a slow consumer for a silent peer', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'long' }, () => bodyOnly(new Pieces(20, 512 * 1024)));
      await a.flush();
      const reply = await b.request('long', bytes(''), options);
      const reader = reply.body[Symbol.asyncIterator]();
      expect((await reader.next()).done).toBe(false);
      await passed(LONGER_MS);
      let sizeBytes = 512 * 1024;
      for (let step = await reader.next(); step.done !== true; step = await reader.next())
        sizeBytes += step.value.length;
      expect(sizeBytes).toBe(20 * 512 * 1024);
    });

    it('lets the deadline end what works on and on', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q' }, async ({ signal }) => {
        await fired(signal);
        throw signal.reason;
      });
      await a.flush();
      const asked = b.request('q', bytes(''), { deadlineMs: LONGER_MS, silenceMs: 600 });
      const error: unknown = await asked.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'BUS_TIMEOUT' });
      expect(error).not.toMatchObject({ context: { silent: true } });
    });
  });
}

/** Time itself is what these tests are about. */
function passed(ms: number): Promise<void> {
  return fired(AbortSignal.timeout(ms));
}
