import { describe, expect, it } from 'vitest';
import { MemoryBus } from '../../src/bus/memory-bus.ts';
import { MemoryHub } from '../../src/bus/memory-hub.ts';
import { silentLog } from '../../src/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { Pieces, bodyOf, bodyOnly, bytes, fired } from './bus-support.ts';
import { busContract } from './bus.ts';
import { codeOf } from './metadata.ts';

const options = { log: silentLog, graceMs: 300 };

busContract('memory', () => {
  const hub = new MemoryHub();
  const make = (): MemoryBus => new MemoryBus(hub, { ...options, workingMs: 100 });
  const buses = [make(), make(), make()] as const;
  return Promise.resolve({
    buses,
    vanish: () => {
      buses[0].disconnect();
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      for (const bus of buses) await bus[Symbol.asyncDispose]();
    },
  });
});

describe('bus over memory: what a network does', () => {
  it('fails requests under way when the connection drops, and refuses new ones until it is back', async () => {
    const hub = new MemoryHub();
    await using a = new MemoryBus(hub, options);
    await using b = new MemoryBus(hub, options);
    const states: string[] = [];
    b.onStatus((status) => states.push(status));
    a.answer({ subject: 'q' }, () => new Promise(() => undefined));
    a.answer({ subject: 'p' }, () => bodyOnly(bytes('x')));
    const asked = codeOf(b.request('q', bytes(''), { deadlineMs: 5_000 }));
    b.disconnect();
    expect(await asked).toBe('BUS_UNREACHABLE');
    expect(await codeOf(b.request('p', bytes(''), { deadlineMs: 5_000 }))).toBe('BUS_UNREACHABLE');
    expect(await codeOf(b.flush())).toBe('BUS_UNREACHABLE');
    b.reconnect();
    expect((await bodyOf(await b.request('p', bytes(''), { deadlineMs: 5_000 }))).toString()).toBe('x');
    expect(states).toEqual(['disconnected', 'connected']);
  });

  it.each(['lost', 'doubled'])('says BUS_ANSWER_BROKEN when a chunk is %s', async (fate) => {
    const hub = new MemoryHub();
    await using a = new MemoryBus(hub, options);
    await using b = new MemoryBus(hub, options);
    const pieces = new Pieces(100, 512 * 1024);
    a.answer({ subject: 'q' }, () => bodyOnly(pieces));
    hub.carry = (message, deliver) => {
      if (message.headers['Trough-Seq'] !== '3') queueMicrotask(deliver);
      else if (fate === 'doubled') [deliver, deliver].forEach(queueMicrotask);
    };
    const reply = await b.request('q', bytes(''), { deadlineMs: 5_000 });
    expect(await codeOf(bodyOf(reply))).toBe('BUS_ANSWER_BROKEN');
    expect(pieces.made).toBeLessThan(20);
  });

  it('gives up an asker that takes nothing for thirty seconds', async () => {
    const hub = new MemoryHub();
    const clock = new ManualClock();
    const after = clock.after.bind(clock);
    await using a = new MemoryBus(hub, { ...options, after });
    await using b = new MemoryBus(hub, { ...options, after });
    const pieces = new Pieces(100, 512 * 1024);
    let signal: AbortSignal | undefined;
    a.answer({ subject: 'q' }, (request) => {
      signal = request.signal;
      return bodyOnly(pieces);
    });
    const reply = await b.request('q', bytes(''), { deadlineMs: 5_000 });
    await clock.advance(29_000);
    expect(signal?.aborted).toBe(false);
    await clock.advance(2_000);
    expect(signal?.aborted).toBe(true);
    expect(pieces.isClosed).toBe(true);
    expect(await codeOf(bodyOf(reply))).toBe('BUS_TIMEOUT');
  });

  it('tells the handler within its first tenth of a second where nobody waits any more', async () => {
    const hub = new MemoryHub();
    const clock = new ManualClock();
    const after = clock.after.bind(clock);
    await using a = new MemoryBus(hub, { ...options, after });
    await using b = new MemoryBus(hub, { ...options, after });
    let signal: AbortSignal | undefined;
    a.answer({ subject: 'q' }, async (request) => {
      signal = request.signal;
      await fired(signal);
      throw signal.reason;
    });
    const controller = new AbortController();
    const asked = codeOf(b.request('q', bytes(''), { deadlineMs: 60_000, signal: controller.signal }));
    await clock.advance(10);
    controller.abort();
    expect(await asked).toBe('BUS_TIMEOUT');
    await clock.advance(80);
    expect(signal?.aborted).toBe(false);
    await clock.advance(20);
    expect(signal?.aborted).toBe(true);
  });

  it('does not count silence while a consumer has pieces left, and counts it again afterwards', async () => {
    const hub = new MemoryHub();
    const clock = new ManualClock();
    const after = clock.after.bind(clock);
    await using a = new MemoryBus(hub, { ...options, after });
    await using b = new MemoryBus(hub, { ...options, after });
    a.answer({ subject: 'q' }, () => bodyOnly(new Pieces(40, 512 * 1024)));
    const reply = await b.request('q', bytes(''), { deadlineMs: 60_000, silenceMs: 3_000 });
    const reader = reply.body[Symbol.asyncIterator]();
    expect((await reader.next()).done).toBe(false);
    await clock.advance(25_000);
    a.disconnect();
    await clock.advance(60_000);
    // What had arrived is still there.
    for (let taken = 0; taken < 8; taken += 1) expect((await reader.next()).done).toBe(false);
    let settled = false;
    const last = codeOf(reader.next()).finally(() => (settled = true));
    await clock.advance(2_999);
    expect(settled).toBe(false);
    await clock.advance(1);
    expect(await last).toBe('BUS_TIMEOUT');
  });

  it('gives a sign of life every two seconds, and none to an asker that only speaks plain requests', async () => {
    const hub = new MemoryHub();
    const clock = new ManualClock();
    const after = clock.after.bind(clock);
    await using a = new MemoryBus(hub, { ...options, after });
    await using b = new MemoryBus(hub, { ...options, after });
    let signs = 0;
    hub.carry = (message, deliver) => {
      if (message.headers['Trough-Working'] !== undefined) signs += 1;
      queueMicrotask(deliver);
    };
    a.answer({ subject: 'q' }, () => new Promise(() => undefined));
    hub.plug().send('q', bytes(''), {}, 'plain.inbox');
    await clock.advance(10_000);
    expect(signs).toBe(0);
    const asked = codeOf(b.request('q', bytes(''), { deadlineMs: 7_000, silenceMs: 2_500 }));
    await clock.advance(6_999);
    expect(signs).toBe(4);
    await clock.advance(1);
    expect(await asked).toBe('BUS_TIMEOUT');
    await clock.advance(10_000);
    expect(signs).toBe(4);
    const closing = a[Symbol.asyncDispose]();
    await clock.advance(options.graceMs);
    await closing;
  });

  it('answers MAILBOX_FULL to more requests than one endpoint may work on', async () => {
    const hub = new MemoryHub();
    await using a = new MemoryBus(hub, { ...options, mostInFlight: 2 });
    await using b = new MemoryBus(hub, options);
    const finish: (() => void)[] = [];
    a.answer({ subject: 'q' }, async () => {
      await new Promise<void>((resolve) => finish.push(resolve));
      return { headers: {}, body: bytes('x') };
    });
    const ask = (): Promise<string> => codeOf(b.request('q', bytes(''), { deadlineMs: 5_000 }));
    const first = [ask(), ask()];
    expect(await ask()).toBe('MAILBOX_FULL');
    for (const done of finish) done();
    expect(await Promise.all(first)).toEqual(['none', 'none']);
    const again = ask();
    while (finish.length < 3) await Promise.resolve();
    finish[2]?.();
    expect(await again).toBe('none');
  });
});
