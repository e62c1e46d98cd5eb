import { headers } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectNats } from '../../src/bus/nats-connection.ts';
import { silentLog } from '../../src/log.ts';
import { NatsKv } from '../../src/metadata/nats-kv.ts';
import { eventually } from '../support/eventually.ts';
import { type TestNatsServer, natsServer } from '../support/nats-server.ts';
import { type MetadataDriver, WatchRecord, codeOf, inParallel, metadataContract } from './metadata.ts';

const log = silentLog;
let shared: TestNatsServer;
let buckets = 0;

beforeAll(async () => {
  shared = await natsServer();
});
afterAll(async () => {
  await shared[Symbol.asyncDispose]();
});

async function openKv(
  server: TestNatsServer,
  bucket?: string,
): Promise<MetadataDriver & { store: NatsKv; link: Awaited<ReturnType<typeof connectNats>>; bucket: string }> {
  buckets += 1;
  const name = bucket ?? `test${String(buckets)}`;
  const link = await connectNats({ servers: [server.url], name, log });
  const store = await NatsKv.open({ connection: link.connection, log, bucket: name });
  return {
    store,
    link,
    bucket: name,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

const bytes = (value: number | string): Uint8Array => new TextEncoder().encode(String(value));

metadataContract('NATS', () => openKv(shared));

describe('metadata in NATS through a crash of the server', () => {
  it('neither loses nor doubles a write, and a watch misses nothing', { timeout: 30_000 }, async () => {
    await using server = await natsServer();
    await using driver = await openKv(server, 'crash');
    const { store } = driver;
    const record = new WatchRecord();
    const ending = new AbortController();
    store.watch('k.', record.hear, ending.signal);
    let stop = false;
    const last = new Map<string, number>();
    const writers = Array.from({ length: 8 }, async (_, index) => {
      const key = `k.${String(index)}`;
      let revision = await store.create(key, bytes(0));
      for (let value = 1; !stop; value += 1) {
        revision = await store.update(key, bytes(value), revision);
        last.set(key, value);
      }
    });
    for (let crash = 0; crash < 2; crash += 1) {
      const before = [...last.values()].reduce((sum, value) => sum + value, 0);
      await eventually(
        'writers get on',
        () => [...last.values()].reduce((sum, value) => sum + value, 0) > before + 100,
      );
      await server.kill();
      await server.restart();
    }
    stop = true;
    await Promise.all(writers);
    expect(last.size).toBe(8);
    for (const [key, value] of last) {
      expect(new TextDecoder().decode((await store.get(key))?.value)).toBe(String(value));
      await eventually(`the watch has the last value of ${key}`, () => record.state.get(key) === String(value));
    }
    for (const key of last.keys()) {
      const heard = record.events.flatMap((event) =>
        event.kind === 'put' && event.key === key ? [Number(Buffer.from(event.value).toString())] : [],
      );
      expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
    }
    expect(record.events.filter(({ kind }) => kind === 'current')).toHaveLength(1);
    ending.abort();
  });

  it('goes on watching when the server forgot the reader', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    const record = new WatchRecord();
    const ending = new AbortController();
    const revision = await store.create('a', bytes(1));
    store.watch('', record.hear, ending.signal);
    await eventually('the watch is current', () => record.isCurrent);
    const manager = await link.connection.jetstreamManager();
    for (const consumer of await manager.consumers.list(`KV_${bucket}`).next()) {
      await manager.consumers.delete(`KV_${bucket}`, consumer.name);
    }
    await store.update('a', bytes(2), revision);
    await eventually('the change is heard', () => record.state.get('a') === '2');
    expect(record.story).toEqual(['put a 1', 'current', 'put a 2']);
    ending.abort();
  });

  it('tells a watcher what is gone when the stream was lost and made anew', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    const record = new WatchRecord();
    const ending = new AbortController();
    await store.create('a', bytes(1));
    await store.create('b', bytes(1));
    store.watch('', record.hear, ending.signal);
    await eventually('the watch is current', () => record.isCurrent);
    const manager = await link.connection.jetstreamManager();
    await manager.streams.delete(`KV_${bucket}`);
    await eventually('the stream is back', async () => (await codeOf(store.create('b', bytes(2)))) === 'none', 15_000);
    await eventually('the watch has followed', () => !record.state.has('a') && record.state.get('b') === '2');
    expect(record.story.filter((line) => line === 'current')).toHaveLength(1);
    ending.abort();
  });

  it('says METADATA_UNREACHABLE and that the outcome is not known when the server stays away', async () => {
    await using server = await natsServer();
    const link = await connectNats({ servers: [server.url], name: 'away', log });
    const store = await NatsKv.open({ connection: link.connection, log, bucket: 'away', deadlineMs: 700 });
    const revision = await store.create('a', bytes(1));
    await server.kill();
    await expect(store.update('a', bytes(2), revision)).rejects.toMatchObject({
      code: 'METADATA_UNREACHABLE',
      context: { key: 'a', outcome: 'unknown' },
    });
    expect(await codeOf(store.get('a'))).toBe('METADATA_UNREACHABLE');
    const controller = new AbortController();
    const waiting = store.get('a', controller.signal);
    controller.abort();
    expect(await codeOf(waiting)).toBe('METADATA_UNREACHABLE');
    await store[Symbol.asyncDispose]();
    await link[Symbol.asyncDispose]();
  });
});

describe('metadata in NATS beside others', () => {
  it('is made once when several processes start together', async () => {
    const drivers = await Promise.all(Array.from({ length: 5 }, () => openKv(shared, 'together')));
    await Promise.all(drivers.map(({ store }, index) => store.create(`k.${String(index)}`, bytes(index))));
    expect(await codeOf(drivers[0]?.store.create('k.4', bytes(9)) ?? Promise.resolve())).toBe('METADATA_CONFLICT');
    for (const driver of drivers) await driver[Symbol.asyncDispose]();
  });

  it('can be read with the tools for key-value buckets', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    await store.create('lease.a=2Eb', bytes('value'));
    await store.delete('gone', await store.create('gone', bytes('x')));
    const kv = await link.connection.jetstream().views.kv(bucket, { bindOnly: true });
    expect((await kv.get('lease.a=2Eb'))?.string()).toBe('value');
    expect((await kv.get('gone'))?.operation).toBe('DEL');
    const keys: string[] = [];
    for await (const key of await kv.keys()) keys.push(key);
    expect(keys).toEqual(['lease.a=2Eb']);
  });

  it('refuses a document that is larger than the server takes', async () => {
    await using driver = await openKv(shared);
    await expect(driver.store.create('a', new Uint8Array(1024 * 1024))).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
    });
    expect(await driver.store.get('a')).toBeUndefined();
  });

  it('sees what such a tool writes and purges', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    const kv = await link.connection.jetstream().views.kv(bucket, { bindOnly: true });
    const revision = await kv.put('a', bytes('by hand'));
    expect(await store.get('a')).toMatchObject({ revision });
    await kv.purge('a');
    expect(await store.get('a')).toBeUndefined();
    await store.create('a', bytes('again'));
    expect((await kv.get('a'))?.string()).toBe('again');
  });

  it('refuses a stream of that name that is something else', async () => {
    const link = await connectNats({ servers: [shared.url], name: 'foreign', log });
    const manager = await link.connection.jetstreamManager();
    await manager.streams.add({ name: 'KV_foreign', subjects: ['foreign.>'] });
    expect(await codeOf(NatsKv.open({ connection: link.connection, log, bucket: 'foreign' }))).toBe('METADATA_BROKEN');
    expect(await codeOf(NatsKv.open({ connection: link.connection, log, bucket: 'a.b' }))).toBe('CONFIG_INVALID');
    await link[Symbol.asyncDispose]();
  });

  it('says that a write cannot be told from another when both may have happened', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    const revision = await store.create('a', bytes(1));
    const subject = `$KV.${bucket}.a`;
    const request = link.connection.request.bind(link.connection);
    // The answer to the first try is lost although it was stored, and another process writes at once.
    let lost = false;
    link.connection.request = async (to, data, options) => {
      const answer = await request(to, data, options);
      if (to !== subject || lost) return answer;
      lost = true;
      const other = headers();
      other.append('Nats-Expected-Last-Subject-Sequence', String(answer.json<{ seq: number }>().seq));
      await request(subject, bytes(3), { timeout: 500, headers: other });
      throw new Error('timeout');
    };
    await expect(store.update('a', bytes(2), revision)).rejects.toMatchObject({ context: { outcome: 'unknown' } });
  });

  it('learns that a write was stored although its answer was lost', async () => {
    await using driver = await openKv(shared);
    const { store, link, bucket } = driver;
    const revision = await store.create('a', bytes(1));
    const request = link.connection.request.bind(link.connection);
    let lost = false;
    link.connection.request = async (to, data, options) => {
      const answer = await request(to, data, options);
      if (to !== `$KV.${bucket}.a` || lost) return answer;
      lost = true;
      throw new Error('timeout');
    };
    const next = await store.update('a', bytes(2), revision);
    expect(lost).toBe(true);
    expect(await store.get('a')).toMatchObject({ revision: next });
    await inParallel(3, 1, async () => {
      expect(await codeOf(store.update('a', bytes(9), revision))).toBe('METADATA_CONFLICT');
    });
  });
});
