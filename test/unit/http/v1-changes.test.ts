import { expect, test } from 'vitest';
import { TroughError } from '../../../src/errors.ts';
import { readRoutes } from '../../../src/http/read-routes.ts';
import { type ChangesPage, type ChangesRequest, type ReadChanges } from '../../../src/messages/changes.ts';
import { WholeReal } from '../../../src/model/exact-json.ts';
import { eventually } from '../../support/eventually.ts';
import { ask, fakeReports, log, rawConnection, serve } from './fixture.ts';

const noReads = (): Promise<never> => Promise.reject(new TroughError('INTERNAL', 'not expected'));
const EMPTY: ChangesPage = { changes: [], next: '7-aabbccdd', more: false };

function following(changes: ReadChanges): ReturnType<typeof serve> {
  return serve(readRoutes({ read: noReads, reports: fakeReports(), changes, log }));
}

test('what is asked in the URL is what is read, and the page comes as JSON that nobody keeps', async () => {
  const asked: ChangesRequest[] = [];
  await using server = await following((request, deliver) => {
    asked.push(request);
    return deliver(EMPTY);
  });
  const got = await ask(server, '/v1/segments/s%201/changes?since=5&waitMs=250', { method: 'GET' });
  expect([got.status, JSON.parse(got.body), got.headers['cache-control']]).toEqual([200, EMPTY, 'no-store']);
  await ask(server, '/v1/changes?matching=%5Eday&since=1%3A5-aabbccdd', { method: 'GET' });
  await ask(server, '/v1/segments/s/changes', { method: 'GET' });
  expect(asked).toEqual([
    { of: { segment: 's 1' }, since: '5', waitMs: 250 },
    { of: { matching: '^day' }, since: '1:5-aabbccdd', waitMs: 0 },
    { of: { segment: 's' }, since: undefined, waitMs: 0 },
  ]);
});

test('parameters and rowids keep their kind and all their digits', async () => {
  const statement = {
    sql: 'q',
    params: [new WholeReal(5), 5n, { base64: 'AA==' }, 2n ** 62n],
    changes: 1,
    lastInsertRowid: 2n ** 62n,
  };
  const write = { kind: 'write', segment: 's', sequence: 1, index: 0, at: '2026-01-01T00:00:00.000Z' } as const;
  await using server = await following((_, deliver) =>
    deliver({ ...EMPTY, changes: [{ ...write, statements: [statement] }] }),
  );
  const { body } = await ask(server, '/v1/segments/s/changes', { method: 'GET' });
  expect(body).toContain('"params":[5.0,5,{"base64":"AA=="},4611686018427387904]');
  expect(body).toContain('"lastInsertRowid":4611686018427387904');
});

test.each([
  '/v1/segments/s/changes?waitMs=60001',
  '/v1/segments/s/changes?waitMs=x',
  '/v1/segments/s/changes?from=1',
  '/v1/changes',
])('what cannot be asked is refused: %s', async (path) => {
  await using server = await following(() => Promise.reject(new TroughError('INTERNAL', 'not expected')));
  const got = await ask(server, path, { method: 'GET' });
  expect([got.status, got.headers['trough-error']]).toEqual([400, 'REQUEST_INVALID']);
});

test('a client that goes away while it waits ends the waiting', async () => {
  const signals: AbortSignal[] = [];
  let delivered = 0;
  await using server = await following(async (_, deliver, signal) => {
    signals.push(signal);
    if (signals.length === 1)
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    await deliver(EMPTY);
    delivered += 1;
  });
  const socket = await rawConnection(server);
  socket.write('GET /v1/segments/s/changes?waitMs=60000 HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually('the request', () => signals.length === 1);
  socket.destroy();
  await eventually('the end of the waiting', () => delivered === 1);
  expect(signals[0]?.aborted).toBe(true);
});
