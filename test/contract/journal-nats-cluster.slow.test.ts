import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startLoad } from '../support/journal-history.ts';
import { type TestNatsCluster, natsCluster } from '../support/nats-cluster.ts';
import { connectJournal, natsJournalDriver, newPrefix } from '../support/nats-journal.ts';
import { newKey } from './journal-support.ts';
import { journalContract } from './journal.ts';

let cluster: TestNatsCluster;

beforeAll(async () => {
  cluster = await natsCluster();
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

journalContract('JetStream, three servers', ({ limitBytes } = {}) =>
  natsJournalDriver(
    cluster.urls,
    limitBytes === undefined ? {} : { prefix: newPrefix(), streamLimitBytes: limitBytes },
  ),
);

describe('the journal in JetStream on three servers', () => {
  it('keeps three copies', async () => {
    await using one = await connectJournal(cluster.urls, {});
    const manager = await one.link.connection.jetstreamManager();
    expect((await manager.streams.info('shared_journal_1')).config.num_replicas).toBe(3);
  });

  it(
    'loses, doubles and reorders nothing while leaders are killed, frozen and stopped',
    { timeout: 240_000 },
    async () => {
      const prefix = newPrefix();
      const streams = 2;
      await using one = await connectJournal(cluster.urls, { prefix, streams });
      await using two = await connectJournal(cluster.urls.toReversed(), { prefix, streams });
      await using observer = await connectJournal(cluster.urls, { prefix, streams });
      const load = startLoad(
        [one.journal, two.journal],
        Array.from({ length: 64 }, () => newKey(one.journal)),
      );
      const gettingOn = async (): Promise<void> => {
        const before = load.acknowledged;
        await eventually('writers get on', () => load.acknowledged > before + 1_000, 60_000);
      };
      for (const fault of ['kill', 'freeze', 'stop', 'kill'] as const) {
        await gettingOn();
        const leader = await cluster.leaderOf(observer.link.connection, `${prefix}_journal_1`);
        if (fault === 'freeze') {
          leader.freeze();
          await gettingOn();
          leader.thaw();
        } else {
          await leader[fault]();
          await gettingOn();
          await leader.restart();
        }
      }
      await gettingOn();
      const { acknowledged, violations } = await load.finish(observer.journal);
      expect(violations).toEqual([]);
      expect(acknowledged).toBeGreaterThan(9_000);
    },
  );
});
