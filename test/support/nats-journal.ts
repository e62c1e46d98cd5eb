import { type NatsLink, connectNats } from '../../src/bus/nats-connection.ts';
import { JetStreamJournal, type JetStreamJournalOptions } from '../../src/journal/jetstream/jetstream-journal.ts';
import { silentLog } from '../../src/log.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { type JournalDriver } from '../contract/journal-support.ts';

let journals = 0;

type Options = Partial<JetStreamJournalOptions> & {
  /** Of each stream; then the journal is of its own, for which the other streams have to be paid. */
  readonly streamLimitBytes?: number;
};

/** A prefix that no other test of this process uses. */
export function newPrefix(): string {
  journals += 1;
  return `test${String(journals)}`;
}

/** One process's journal, with a connection of its own that is closed with it. */
export async function connectJournal(
  servers: readonly string[],
  options: Options = {},
): Promise<{ journal: JetStreamJournal; link: NatsLink } & AsyncDisposable> {
  const { streamLimitBytes = 100_000_000, streams = 4, ...others } = options;
  const link = await connectNats({ servers, name: 'journal test', log: silentLog });
  const journal = await JetStreamJournal.open({
    ...{ connection: link.connection, log: silentLog, clock: systemClock, random: Math.random, prefix: 'shared' },
    ...{ streams, limitBytes: streamLimitBytes * streams },
    ...others,
  });
  return {
    journal,
    link,
    [Symbol.asyncDispose]: async () => {
      await journal[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/** What the contract asks for: two processes at the same streams, each on servers of its own order. */
export async function natsJournalDriver(
  servers: readonly string[],
  options: Options = {},
): Promise<JournalDriver & { journal: JetStreamJournal }> {
  const opened = [await connectJournal(servers, options)];
  const [{ journal }] = opened as [(typeof opened)[number]];
  return {
    journal,
    other: async () => {
      const next = await connectJournal(servers.toReversed(), options);
      opened.push(next);
      return next.journal;
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
    },
  };
}
