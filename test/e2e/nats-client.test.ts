import { connect, headers, type NatsConnection, type Msg } from 'nats';
import { expect, test } from 'vitest';
import { tempDir } from '../support/temp-dir.ts';
import { trough } from '../support/trough-process.ts';

/** A client that knows nothing of trough but its subjects. */
async function client(url: string): Promise<NatsConnection & AsyncDisposable> {
  const connection = await connect({ servers: url });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

test('any NATS client provisions, writes, reads, promotes and releases', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  await using nats = await client(node.ready.urls.nats);
  const ask = async (subject: string, body: string): Promise<Msg> => nats.request(subject, body, { timeout: 10_000 });

  const provisioned = await ask('trough.sync.provision', '{"segment":"a.b c"}');
  expect(provisioned.json()).toMatchObject({ segment: 'a.b c', node: 'n1', created: true });
  // The name as one token: every other byte is =HH.
  const token = 'a=2Eb=20c';
  expect((await ask(`trough.write.${token}`, 'create table t (a, b)')).json()).toMatchObject({
    sequence: expect.any(Number) as unknown,
  });
  const written = await ask(
    `trough.write.${token}`,
    '{"statements":[{"sql":"insert into t values (?, ?)","params":[9007199254740993, null]}]}',
  );
  expect(written.string()).toContain('"changes":1');
  expect((await ask(`trough.query.${token}`, 'select * from t')).string()).toBe('[{"a":9007199254740993,"b":null}]\n');
  const asked = await ask(`trough.query.${token}`, '{"sql":"select b, a from t where a > ?","params":[1]}');
  expect(asked.string()).toBe(
    '{"columns":["b","a"],"rows":[[null,9007199254740993]],"segment":"a.b c","version":"live-1","node":"n1","truncated":false}\n',
  );
  expect(asked.headers?.get('Trough-Status')).toBe('200');
  expect((await ask('trough.sync.promote', '{"segment":"a.b c"}')).json()).toMatchObject({
    segment: 'a.b c',
    sizeBytes: 8192,
  });
  expect((await ask('trough.sync.release', '{"segment":"a.b c"}')).json()).toMatchObject({ segment: 'a.b c' });
  expect((await ask(`trough.query.${token}`, 'select count(*) n from t')).string()).toBe('[{"n":1}]\n');

  const missing = await ask('trough.query.nowhere', 'select 1');
  expect(missing.headers?.get('Trough-Status')).toBe('404');
  expect(missing.headers?.get('Trough-Error')).toBe('SEGMENT_UNKNOWN');
  expect(missing.json()).toMatchObject({ code: 'SEGMENT_UNKNOWN' });
});

test('an answer over 512 KB comes in numbered chunks that wait for their acknowledgements', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  await using nats = await client(node.ready.urls.nats);
  await nats.request('trough.sync.provision', '{"segment":"big"}', { timeout: 10_000 });
  const inbox = 'client.inbox.1';
  const answers = nats.subscribe(inbox);
  const rows = 200_000;
  const sql = `with recursive c(x) as (select 1 union all select x+1 from c where x < ${String(rows)}) select x, 'some text to make it longer' t from c`;
  nats.publish('trough.query.big', sql, { reply: inbox, headers: headers() });
  let text = '';
  let next = 0;
  for await (const message of answers) {
    expect(message.headers?.get('Trough-Seq')).toBe(String(next));
    expect(message.data.length).toBeLessThanOrEqual(512 * 1024);
    next += 1;
    text += message.string();
    message.respond();
    if (message.headers?.get('Trough-Last') === '1') break;
  }
  expect(next).toBeGreaterThan(10);
  expect((JSON.parse(text) as unknown[]).length).toBe(rows);
});

test('the services API lists query and write with their counts', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path });
  await using nats = await client(node.ready.urls.nats);
  await nats.request('trough.query.nowhere', 'select 1', { timeout: 10_000 });
  const services = [];
  for await (const service of await nats.services.client().stats()) services.push(service);
  const [trough1] = services;
  expect(services).toHaveLength(1);
  expect(trough1?.name).toBe('trough');
  const endpoints = new Map(trough1?.endpoints?.map((endpoint) => [endpoint.name, endpoint]));
  expect(endpoints.get('query')).toMatchObject({
    subject: 'trough.query.*',
    queue_group: 'readers',
    num_requests: 1,
    num_errors: 1,
  });
  expect(endpoints.get('write')).toMatchObject({ subject: 'trough.write.*', queue_group: 'writers' });
  expect(Array.from(endpoints.keys())).toContain('sync-provision');
});
