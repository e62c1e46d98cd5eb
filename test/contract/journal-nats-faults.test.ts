import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Journal, type JournalKey } from '../../src/journal/journal.ts';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/journal-history.ts';
import { connectJournal, newPrefix } from '../support/nats-journal.ts';
import { type TestNatsServer, natsServer } from '../support/nats-server.ts';
import { tcpProxy } from '../support/tcp-proxy.ts';
import { collect, entry, errorOf, fill, newKey, texts } from './journal-support.ts';

let server: TestNatsServer;

beforeAll(async () => {
  server = await natsServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** A journal behind a connection that the test breaks, and another one that sees what is. */
async function behindProxy() {
  const proxy = await tcpProxy(server.url);
  const near = await connectJournal([proxy.url]);
  const far = await connectJournal([server.url]);
  const key = newKey(far.journal);
  return {
    ...{ proxy, journal: near.journal, calm: far.journal, key },
    [Symbol.asyncDispose]: async () => {
      await near[Symbol.asyncDispose]();
      await far[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function sequenceOf(journal: Journal, key: JournalKey, id: string): Promise<number> {
  const record = await eventually(`${id} is there`, async () => {
    const last = await journal.last(key);
    return last?.id === id ? last : undefined;
  });
  return record.sequence;
}

describe('the journal in JetStream when answers are lost', () => {
  it('finds the record that had landed, and keeps it once', async () => {
    await using at = await behindProxy();
    const [first = 0] = await fill(at.journal, at.key, 1);
    at.proxy.deafen();
    const appended = at.journal.append(at.key, entry('2'), first);
    const landed = await sequenceOf(at.calm, at.key, '2');
    at.proxy.cut();
    expect(await appended).toBe(landed);
    expect(await at.journal.append(at.key, entry('3'), landed)).toBeGreaterThan(landed);
    expect(await texts(at.calm, at.key)).toEqual(['body 0', '2', '3']);
  });

  it('finds each of many that went as one batch', async () => {
    await using at = await behindProxy();
    const keys = Array.from({ length: 60 }, () => ({ ...newKey(at.calm), stream: '1' }));
    at.proxy.deafen();
    const appended = Promise.all(keys.map((key) => at.journal.append(key, entry('1'), 0)));
    const landed = await Promise.all(keys.map((key) => sequenceOf(at.calm, key, '1')));
    at.proxy.cut();
    expect(await appended).toEqual(landed);
    for (const key of keys) expect(await texts(at.calm, key)).toEqual(['1']);
  });

  it('answers with the sequence although another has appended behind it', async () => {
    await using at = await behindProxy();
    at.proxy.deafen();
    const appended = at.journal.append(at.key, entry('mine'), 0);
    const landed = await sequenceOf(at.calm, at.key, 'mine');
    const claim = await at.calm.append(at.key, entry('claim'), landed);
    at.proxy.cut();
    expect(await appended).toBe(landed);
    const next = await errorOf(at.journal.append(at.key, entry('next'), landed));
    expect(next).toMatchObject({ code: 'JOURNAL_FENCED', context: { found: claim } });
  });

  it('says unknown, not fenced, when its record may have been purged', async () => {
    await using at = await behindProxy();
    at.proxy.deafen();
    const appended = errorOf(at.journal.append(at.key, entry('mine'), 0));
    const landed = await sequenceOf(at.calm, at.key, 'mine');
    await at.calm.purge(at.key, await at.calm.append(at.key, entry('claim'), landed));
    at.proxy.cut();
    expect((await appended).code).toBe('JOURNAL_UNKNOWN');
  });

  it('says fenced when it never arrived and another has appended', async () => {
    await using at = await behindProxy();
    at.proxy.mute();
    const appended = errorOf(at.journal.append(at.key, entry('mine'), 0));
    const claim = await at.calm.append(at.key, entry('claim'), 0);
    at.proxy.cut();
    expect(await appended).toMatchObject({ code: 'JOURNAL_FENCED', context: { found: claim } });
    expect(await texts(at.calm, at.key)).toEqual(['claim']);
  });

  it('sends again what never arrived', async () => {
    await using at = await behindProxy();
    at.proxy.mute();
    const appended = at.journal.append(at.key, entry('1'), 0);
    // Longer than one try.
    await eventually('the connection is given up', async () => (await at.calm.last(at.key)) === undefined);
    at.proxy.cut();
    expect(await appended).toBe(await sequenceOf(at.calm, at.key, '1'));
  });

  it('says unknown to a caller who gives up, and finds out when asked again', async () => {
    await using at = await behindProxy();
    const giveUp = new AbortController();
    at.proxy.deafen();
    const appended = errorOf(at.journal.append(at.key, entry('1'), 0, giveUp.signal));
    const landed = await sequenceOf(at.calm, at.key, '1');
    giveUp.abort();
    expect((await appended).code).toBe('JOURNAL_UNKNOWN');
    at.proxy.cut();
    expect(await at.journal.append(at.key, entry('1'), 0)).toBe(landed);
    expect(await texts(at.calm, at.key)).toEqual(['1']);
  });

  it('waits without a connection; nothing was appended for who gives up meanwhile', async () => {
    await using at = await behindProxy();
    const [first = 0] = await fill(at.journal, at.key, 1);
    at.proxy.close();
    const giveUp = new AbortController();
    await eventually('the loss is noticed', async () => {
      const quick = AbortSignal.timeout(50);
      return (await errorOf(at.journal.last(at.key, quick))).code === 'JOURNAL_UNREACHABLE';
    });
    const dropped = errorOf(at.journal.append(at.key, entry('dropped'), first, giveUp.signal));
    const patient = at.journal.append(newKey(at.journal), entry('patient'), 0);
    giveUp.abort();
    expect((await dropped).code).toBe('JOURNAL_UNREACHABLE');
    at.proxy.open();
    expect(await patient).toBeGreaterThan(0);
    expect(await texts(at.calm, at.key)).toEqual(['body 0']);
  });

  it('lets who gives up go, also behind an append of the same key that is stuck', async () => {
    await using at = await behindProxy();
    at.proxy.deafen();
    const stuck = at.journal.append(at.key, entry('1'), 0);
    const landed = await sequenceOf(at.calm, at.key, '1');
    const giveUp = new AbortController();
    const second = errorOf(at.journal.append(at.key, entry('2'), landed, giveUp.signal));
    const third = at.journal.append(at.key, entry('3'), landed);
    giveUp.abort();
    expect((await second).code).toBe('JOURNAL_UNREACHABLE');
    at.proxy.cut();
    expect(await stuck).toBe(landed);
    await third;
    expect(await texts(at.calm, at.key)).toEqual(['1', '3']);
  });

  it('lets so many bytes wait and no more, but for the reserved', async () => {
    await using proxy = await tcpProxy(server.url);
    await using at = await connectJournal([proxy.url], { waitingBytes: 50_000 });
    const keys = Array.from({ length: 7 }, () => newKey(at.journal));
    const [reservedKey = newKey(at.journal), tooMuch = newKey(at.journal), ...others] = keys;
    proxy.deafen();
    const waiting = others.map((key) => at.journal.append(key, entry('1', 'x'.repeat(9_000)), 0));
    expect((await errorOf(at.journal.append(tooMuch, entry('1', 'x'.repeat(9_000)), 0))).code).toBe('JOURNAL_BUSY');
    const claim = at.journal.append(reservedKey, entry('1', 'x'.repeat(9_000), true), 0);
    proxy.cut();
    for (const sequence of await Promise.all([...waiting, claim])) expect(sequence).toBeGreaterThan(0);
    expect(await at.journal.append(tooMuch, entry('1', 'x'.repeat(9_000)), 0)).toBeGreaterThan(0);
  });

  it('goes on reading where the connection broke', { timeout: 60_000 }, async () => {
    await using at = await behindProxy();
    const sequences = await fill(at.calm, at.key, 1_200, 'x'.repeat(4_000));
    const read: number[] = [];
    for await (const { sequence } of at.journal.read(at.key, { from: 0 })) {
      read.push(sequence);
      if (read.length % 400 === 0) at.proxy.cut();
      if (read.length % 500 === 0) at.proxy.deafen();
    }
    expect(read).toEqual(sequences);
  });
});

describe('the journal in JetStream through crashes of its server', () => {
  it('neither loses nor doubles a record, and keeps their order', { timeout: 60_000 }, async () => {
    await using crashing = await natsServer();
    const prefix = newPrefix();
    await using one = await connectJournal([crashing.url], { prefix });
    await using two = await connectJournal([crashing.url], { prefix });
    const keys = Array.from({ length: 64 }, () => newKey(one.journal));
    const load = startLoad([one.journal, two.journal], keys);
    for (let crash = 0; crash < 3; crash += 1) {
      const before = load.acknowledged;
      await eventually('writers get on', () => load.acknowledged > before + 500, 30_000);
      await crashing.kill();
      await crashing.restart();
    }
    const before = load.acknowledged;
    await eventually('writers get on', () => load.acknowledged > before + 500, 30_000);
    const { acknowledged, violations } = await load.finish(two.journal);
    expect(violations).toEqual([]);
    expect(acknowledged).toBeGreaterThan(2_000);
  });

  it('notices that its streams were lost and made anew', async () => {
    const prefix = newPrefix();
    await using old = await connectJournal([server.url], { prefix });
    const key = newKey(old.journal);
    const before = await old.journal.state(key.stream);
    const [first = 0] = await fill(old.journal, key, 1);
    const manager = await old.link.connection.jetstreamManager();
    await manager.streams.delete(`${prefix}_journal_${key.stream}`);
    expect((await errorOf(old.journal.last(key))).code).toBe('JOURNAL_LOST');
    expect((await errorOf(collect(old.journal, key))).code).toBe('JOURNAL_LOST');
    await using anew = await connectJournal([server.url], { prefix });
    expect((await anew.journal.state(key.stream)).incarnation).not.toBe(before.incarnation);
    expect((await errorOf(old.journal.append(key, entry('x'), first))).code).toBe('JOURNAL_LOST');
  });
});
