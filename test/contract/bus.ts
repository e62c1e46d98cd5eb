import { describe, expect, it } from 'vitest';
import { type BusRequest } from '../../src/bus/bus.ts';
import { TroughError } from '../../src/errors.ts';
import { eventually } from '../support/eventually.ts';
import { longAnswersContract } from './bus-long-answers.ts';
import { silenceContract } from './bus-silence.ts';
import { type BusDriver, Pieces, bodyOf, bodyOnly, bytes, fired, patience, text } from './bus-support.ts';
import { codeOf } from './metadata.ts';

/** What every bus does. */
export function busContract(name: string, open: () => Promise<BusDriver>): void {
  describe(`bus over ${name}: messages`, () => {
    it('brings what is published to every subscriber, in order, with headers', async () => {
      await using driver = await open();
      const [a, b, c] = driver.buses;
      const heard: string[] = [];
      b.subscribe('beat.*', ({ subject, body, headers }) =>
        heard.push(`b ${subject} ${text(body)} ${headers['Kind'] ?? ''}`),
      );
      const other = c.subscribe('beat.n1', ({ body }) => heard.push(`c ${text(body)}`));
      await Promise.all([b.flush(), c.flush()]);
      for (let beat = 0; beat < 100; beat += 1) a.publish('beat.n1', bytes(String(beat)), { Kind: 'k' });
      await eventually('both have heard all', () => heard.length === 200);
      expect(heard.filter((line) => line.startsWith('b'))).toEqual(
        Array.from({ length: 100 }, (_, beat) => `b beat.n1 ${String(beat)} k`),
      );
      other.unsubscribe();
      await c.flush();
      a.publish('beat.n1', bytes('more'));
      await eventually('b has heard it', () => heard.includes('b beat.n1 more '));
      expect(heard).not.toContain('c more');
    });

    it('goes on when a subscriber throws', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const heard: string[] = [];
      b.subscribe('x', ({ body }) => {
        heard.push(text(body));
        throw new Error('a bug');
      });
      await b.flush();
      a.publish('x', bytes('1'));
      a.publish('x', bytes('2'));
      await eventually('both were heard', () => heard.length === 2);
    });
  });

  describe(`bus over ${name}: requests`, () => {
    it('answers with headers, body and trailers', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q.*' }, (request) =>
        Promise.resolve({
          headers: { 'Trough-Node': 'n1', Subject: request.subject, Asked: request.headers['Question'] ?? '' },
          body: Buffer.concat([request.body, bytes('!')]),
          trailers: () => ({ Rows: '7' }),
        }),
      );
      await a.flush();
      const reply = await b.request('q.x', bytes('hello'), { ...patience, headers: { Question: 'why' } });
      expect(text(await bodyOf(reply))).toBe('hello!');
      expect(reply.headers).toMatchObject({ 'Trough-Node': 'n1', Subject: 'q.x', Asked: 'why' });
      expect(reply.trailers()).toMatchObject({ Rows: '7' });
    });

    it('takes an empty answer', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q' }, () => bodyOnly(new Uint8Array(0)));
      a.answer({ subject: 'p' }, () => bodyOnly(new Pieces(0, 1)));
      await a.flush();
      expect(await bodyOf(await b.request('q', bytes(''), patience))).toHaveLength(0);
      expect(await bodyOf(await b.request('p', bytes(''), patience))).toHaveLength(0);
    });

    it('shares requests within a group and asks each of them once', async () => {
      await using driver = await open();
      const [a, b, c] = driver.buses;
      const counts = [0, 0];
      for (const [index, bus] of [a, b].entries()) {
        bus.answer({ subject: 'q', group: 'readers' }, () => {
          counts[index] = (counts[index] ?? 0) + 1;
          return bodyOnly(bytes('x'));
        });
      }
      await Promise.all([a.flush(), b.flush()]);
      for (let asked = 0; asked < 100; asked += 1) await bodyOf(await c.request('q', bytes(''), patience));
      expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(100);
      expect(Math.min(...counts)).toBeGreaterThan(10);
    });

    it('throws the error that the handler threw', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'known' }, () =>
        Promise.reject(new TroughError('SEGMENT_UNKNOWN', 'no cold copy of ä', { segment: 'ä', tries: 2, last: true })),
      );
      a.answer({ subject: 'bug' }, () => {
        throw new TypeError('x is not a function');
      });
      a.answer({ subject: 'header' }, () => Promise.resolve({ headers: { A: 'two\nlines' }, body: bytes('x') }));
      await a.flush();
      await expect(b.request('known', bytes(''), patience)).rejects.toMatchObject({
        code: 'SEGMENT_UNKNOWN',
        message: 'no cold copy of ä',
        context: { segment: 'ä', tries: 2, last: true },
      });
      expect(await codeOf(b.request('bug', bytes(''), patience))).toBe('INTERNAL');
      expect(await codeOf(b.request('header', bytes(''), patience))).toBe('REQUEST_INVALID');
    });

    it('waits for ever when the deadline is without end', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      a.answer({ subject: 'q' }, async ({ body }) => {
        await a.flush();
        return { headers: {}, body };
      });
      await a.flush();
      expect(text(await bodyOf(await b.request('q', bytes('x'), { deadlineMs: Infinity })))).toBe('x');
    });

    it('says at once that nobody answers', async () => {
      await using driver = await open();
      const [, b] = driver.buses;
      const started = performance.now();
      expect(await codeOf(b.request('nobody', bytes(''), patience))).toBe('BUS_NO_RESPONDERS');
      expect(performance.now() - started).toBeLessThan(1_000);
    });

    it('ends at the deadline, on both sides', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let left: Promise<void> | undefined;
      a.answer({ subject: 'slow' }, async ({ signal }) => {
        left = fired(signal);
        await left;
        return { headers: {}, body: bytes('late') };
      });
      await a.flush();
      expect(await codeOf(b.request('slow', bytes(''), { deadlineMs: 150 }))).toBe('BUS_TIMEOUT');
      await left;
    });

    it('tells the handler that its asker gave up', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      const waiting: BusRequest[] = [];
      a.answer({ subject: 'slow' }, async (request) => {
        waiting.push(request);
        await fired(request.signal);
        throw request.signal.reason;
      });
      await a.flush();
      const controller = new AbortController();
      const codes = [codeOf(b.request('slow', bytes(''), { ...patience, signal: controller.signal }))];
      const request = await eventually('the handler is asked', () => waiting[0]);
      controller.abort();
      expect(await Promise.all(codes)).toEqual(['BUS_TIMEOUT']);
      await fired(request.signal);
      expect(await codeOf(b.request('slow', bytes(''), { ...patience, signal: controller.signal }))).toBe(
        'BUS_TIMEOUT',
      );
    });

    it('carries two hundred requests side by side', async () => {
      await using driver = await open();
      const [a, b] = driver.buses;
      let inside = 0;
      let most = 0;
      let open_: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => {
        open_ = resolve;
      });
      a.answer({ subject: 'q' }, async ({ body }) => {
        inside += 1;
        most = Math.max(most, inside);
        if (inside === 200) open_();
        await gate;
        return { headers: {}, body };
      });
      await a.flush();
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_, index) =>
          text(await bodyOf(await b.request('q', bytes(String(index)), patience))),
        ),
      );
      expect(answers).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
      expect(most).toBe(200);
    });
  });

  longAnswersContract(name, open);
  silenceContract(name, open);
}
