import { afterAll, beforeAll } from 'vitest';
import { natsJournalDriver, newPrefix } from '../support/nats-journal.ts';
import { type TestNatsServer, natsServer } from '../support/nats-server.ts';
import { journalContract } from './journal.ts';

let server: TestNatsServer;

beforeAll(async () => {
  server = await natsServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

journalContract('JetStream, one server', ({ limitBytes } = {}) =>
  natsJournalDriver(
    [server.url],
    limitBytes === undefined ? {} : { prefix: newPrefix(), streamLimitBytes: limitBytes },
  ),
);
