import { type NatsConnection } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectNats } from '../../src/bus/nats-connection.ts';
import { demandVersion } from '../../src/journal/jetstream/server-check.ts';
import { silentLog } from '../../src/log.ts';
import { connectJournal, newPrefix } from '../support/nats-journal.ts';
import { type TestNatsServer, natsServer } from '../support/nats-server.ts';
import { recordingLog } from '../support/recording-log.ts';
import { collect, entry, errorOf, fill, newKey, toList } from './journal-support.ts';

let server: TestNatsServer;

beforeAll(async () => {
  server = await natsServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const configOf = async (connection: NatsConnection, stream: string): Promise<object> =>
  (await (await connection.jetstreamManager()).streams.info(stream)).config;

describe('the streams of the journal', () => {
  it('keep everything until it is purged, on disk, and refuse what is too much', async () => {
    const prefix = newPrefix();
    await using at = await connectJournal([server.url], { prefix, streams: 2, streamLimitBytes: 1_000_000 });
    expect(await configOf(at.link.connection, `${prefix}_journal_2`)).toMatchObject({
      ...{ storage: 'file', retention: 'limits', discard: 'new', num_replicas: 1, max_bytes: 1_000_000 },
      ...{
        max_age: 0,
        max_msgs: -1,
        max_msgs_per_subject: -1,
        allow_atomic: true,
        allow_direct: true,
        deny_delete: true,
      },
    });
  });

  it('are made once when several processes start together', async () => {
    const prefix = newPrefix();
    const opened = await Promise.all(Array.from({ length: 4 }, () => connectJournal([server.url], { prefix })));
    const incarnations = await Promise.all(opened.map(async ({ journal }) => (await journal.state('1')).incarnation));
    expect(new Set(incarnations).size).toBe(1);
    for (const one of opened) await one[Symbol.asyncDispose]();
  });

  it('may become more and fewer: what is in one stays there', async () => {
    const prefix = newPrefix();
    const name = 'segment';
    await using two = await connectJournal([server.url], { prefix, streams: 2 });
    const old = { stream: two.journal.pickStream(name), name };
    const sequences = await fill(two.journal, old, 3);
    await using four = await connectJournal([server.url], { prefix, streams: 4 });
    expect(four.journal.streams).toEqual(['1', '2', '3', '4']);
    expect((await collect(four.journal, old)).map(({ sequence }) => sequence)).toEqual(sequences);
    const fresh = { stream: '4', name: 'other' };
    await four.journal.append(fresh, entry('1'), 0);
    // A process that started before, and one that starts with the old setting.
    expect(await collect(two.journal, fresh)).toHaveLength(1);
    await using again = await connectJournal([server.url], { prefix, streams: 2 });
    expect(again.journal.streams).toEqual(['1', '2', '3', '4']);
    expect(await toList(again.journal.keys('4'))).toEqual(['other']);
    for (let index = 0; index < 50; index += 1)
      expect(['1', '2']).toContain(again.journal.pickStream(`s${String(index)}`));
  });

  it('follow the limit that is set, but never below what they hold', async () => {
    const prefix = newPrefix();
    const limitOf = async (streamLimitBytes: number): Promise<number> => {
      await using at = await connectJournal([server.url], { prefix, streams: 1, streamLimitBytes });
      return (await at.journal.state('1')).limitBytes;
    };
    expect(await limitOf(2_000_000)).toBe(2_000_000);
    expect(await limitOf(3_000_000)).toBe(3_000_000);
    expect(await limitOf(1_000_000)).toBe(1_000_000);
    await using at = await connectJournal([server.url], { prefix, streams: 1, streamLimitBytes: 1_000_000 });
    await fill(at.journal, newKey(at.journal), 40, 'x'.repeat(10_000));
    expect(await limitOf(500_000)).toBe(1_000_000);
  });

  it('are as large as the server has room for, unless a limit was asked for', async () => {
    await using small = await natsServer({
      change: (config) => config.replace('sync_interval: always', 'sync_interval: always, max_file_store: 1GB'),
    });
    const { log, lines } = recordingLog();
    const error = await errorOf(connectJournal([small.url], { prefix: 'asked', streamLimitBytes: 400_000_000 }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', context: { limitBytes: 400_000_000 } });
    await using link = await connectNats({ servers: [small.url], name: 'test', log: silentLog });
    const manager = await link.connection.jetstreamManager();
    for (const { config } of await manager.streams.list().next()) await manager.streams.delete(config.name);
    await using at = await connectJournal([small.url], { prefix: 'usual', limitBytes: undefined, log });
    const limits = await Promise.all(
      at.journal.streams.map(async (stream) => (await at.journal.state(stream)).limitBytes),
    );
    expect(limits.reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(1024 ** 3);
    expect(new Set(limits)).toEqual(new Set([256 * 1024 ** 2]));
    expect(JSON.stringify(lines)).toContain('too little room');
  });

  it('are refused when they would drop old records', async () => {
    const prefix = newPrefix();
    await using link = await connectNats({ servers: [server.url], name: 'test', log: silentLog });
    const manager = await link.connection.jetstreamManager();
    const settings = { discard: 'new', allow_direct: true, allow_atomic: true, max_age: 3_600_000_000_000 } as object;
    await manager.streams.add({ name: `${prefix}_journal_1`, subjects: [`${prefix}.journal.1.*`], ...settings });
    const error = await errorOf(connectJournal([server.url], { prefix }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error.message).toContain('max_age');
  });
});

describe('the servers of the journal', () => {
  const showing = (sync: string) => (config: string) =>
    config.replace(/jetstream \{.*\}/, (jetstream) => {
      const service = '{service: "$SYS.REQ.SERVER.PING.VARZ", response: stream}';
      const imported = '{service: {account: SYS, subject: "$SYS.REQ.SERVER.PING.VARZ"}}';
      return [
        jetstream.replace(', sync_interval: always', sync),
        `accounts { SYS { exports: [${service}] }`,
        `APP { jetstream: enabled, users: [{user: a, password: b}], imports: [${imported}] } }`,
        'system_account: SYS',
      ].join('\n');
    });
  const login = (url: string): string[] => [url.replace('://', '://a:b@')];

  it('are refused when they can be seen to acknowledge before they sync', async () => {
    await using lazy = await natsServer({ change: showing('') });
    const error = await errorOf(connectJournal(login(lazy.url)));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('sync_interval: always');
  });

  it('are taken when they can be seen to sync, and it is said when they cannot be seen', async () => {
    await using open = await natsServer({ change: showing(', sync_interval: always') });
    const seen = recordingLog();
    await using at = await connectJournal(login(open.url), { log: seen.log });
    expect(at.journal.streams).toHaveLength(4);
    expect(JSON.stringify(seen.lines)).not.toContain('sync');
    const unseen = recordingLog();
    await using other = await connectJournal([server.url], { log: unseen.log });
    expect(other.journal.streams).toHaveLength(4);
    expect(JSON.stringify(unseen.lines)).toContain('cannot be seen');
  });

  it('are refused when they are older than 2.12', () => {
    for (const version of ['2.9.10', '2.11.99', '1.99.0', undefined]) {
      expect(() => {
        demandVersion(version, 'it');
      }).toThrow(/2\.12 or newer, 2\.15\.2 was tested/);
    }
    for (const version of ['2.12.0', '2.12.0-RC.1', '2.15.2', '3.0.0']) demandVersion(version, 'it');
  });
});
