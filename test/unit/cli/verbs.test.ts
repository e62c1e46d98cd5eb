import { type IncomingMessage, type ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { cli, type CliRun, type CliSetting } from './cli-harness.ts';
import { FakeTrough } from './fake-trough.ts';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

/** Runs one command against a server that gives one answer, and tells what it was asked. */
async function ask(
  args: readonly string[],
  answer: (response: ServerResponse) => void,
  given: CliSetting = {},
): Promise<CliRun & { seen: Seen[] }> {
  await using fake = await FakeTrough.start();
  const seen: Seen[] = [];
  fake.answer = (request: IncomingMessage, response, body) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', body });
    answer(response);
    return true;
  };
  return { ...(await cli(args, { ...given, env: fake.env })), seen };
}

const json =
  (body: string, status = 200) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  };
const ANSWER =
  '{"columns":["a","b"],"rows":[[9223372036854775807,null],[1,"x"]],"segment":"s","version":"1","node":"n","truncated":false}';

test('a query is printed as a table, no digit of a 64-bit integer lost', async () => {
  const { code, out, seen } = await ask(
    ['query', 's', 'select 1', '--deadline', '5s', '--consistency', 'any'],
    json(ANSWER),
  );
  expect(code).toBe(0);
  expect(out).toBe('                  a  b\n9223372036854775807  <null>\n                  1  x\n');
  expect(seen).toMatchObject([{ method: 'POST', url: '/v1/segments/s/query' }]);
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
    sql: 'select 1',
    deadlineMs: 5_000,
    consistency: 'any',
    maxRows: 10_000,
    format: 'json',
  });
});

test('parameters are JSON, in order or by name, and keep all their digits', async () => {
  const positional = await ask(['query', 's', 'x', '--param', '9223372036854775807', '"a"', 'null'], json(ANSWER));
  expect(positional.seen[0]?.body).toContain('"params":[9223372036854775807,"a",null]');
  const real = await ask(['query', 's', 'x', '--param', '5.0'], json(ANSWER));
  expect(real.seen[0]?.body).toContain('"params":[5.0]');
  const named = await ask(['query', 's', 'x', '--param', '{"n":1}'], json(ANSWER));
  expect(named.seen[0]?.body).toContain('"params":{"n":1}');
  const wrong = await ask(['query', 's', 'x', '--param', 'a'], json(ANSWER));
  expect(wrong).toMatchObject({ code: 2, seen: [], err: expect.stringContaining(`--param '"a"'`) as string });
});

test("SQL comes from standard input with '-'", async () => {
  const { seen } = await ask(['query', 's', '-'], json(ANSWER), { stdin: 'select 2' });
  expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ sql: 'select 2' });
});

test('lines of JSON are handed on without what trough says between them', async () => {
  const body = '{"a":1}\n{"_trough":{"progress":{"rows":1}}}\n{"a":2}\n{"_trough":{"summary":{"rows":2}}}\n';
  const run = await ask(['query', 's', 'x', '--format', 'ndjson'], json(body));
  expect(run).toMatchObject({ code: 0, out: '{"a":1}\n{"a":2}\n', err: '' });
});

test('an answer that fails half-way, or lacks its last line, or is cut off is not taken for a whole one', async () => {
  const failed = await ask(
    ['query', 's', 'x', '--format', 'ndjson'],
    json('{"a":1}\n{"_trough":{"error":{"code":"ENGINE_DEADLINE","message":"too long"}}}\n'),
  );
  expect(failed).toMatchObject({ code: 1, out: '{"a":1}\n', err: 'trough: too long (ENGINE_DEADLINE)\n' });
  const short = await ask(['query', 's', 'x', '--format', 'ndjson'], json('{"a":1}\n'));
  expect(short.code).toBe(1);
  expect(short.err).toMatch(/ended before its last line/);
  const cut = await ask(['query', 's', 'x', '--format', 'csv'], (response) => {
    response.writeHead(200, { 'content-length': 100 }).write('a\n1\n', () => response.destroy());
  });
  expect(cut.code).not.toBe(0);
  expect(cut.err).toMatch(/cut before the answer was complete/);
});

test('a reader that goes away (| head) ends the query quietly', async () => {
  const lines = '{"a":1}\n'.repeat(100_000);
  const run = await ask(['query', 's', 'x', '--format', 'ndjson'], json(lines), { closesAfter: 1 });
  expect(run).toMatchObject({ code: 0, err: '' });
});

test.each([
  [404, 'SEGMENT_UNKNOWN', 3],
  [503, 'ENGINE_POOL_FULL', 4],
  [400, 'SQL_FAILED', 1],
  [504, 'ENGINE_DEADLINE', 1],
  [500, 'SEGMENT_DAMAGED', 1],
])('status %i with %s ends with exit code %i and one line', async (status, code, exit) => {
  const run = await ask(
    ['query', 's', 'x'],
    json(`{"error":{"code":"${code}","message":"so it is","context":{}}}`, status),
  );
  expect(run).toMatchObject({ code: exit, out: '', err: `trough: so it is (${code})\n` });
});

test("the original's text errors are understood too", async () => {
  const run = await ask(['schema', 'register', 's', '-'], (response) => {
    response
      .writeHead(400, { 'trough-error': 'SCHEMA_INVALID' })
      .end('schema sql failed validation: near "x": syntax error');
  });
  expect(run).toMatchObject({
    code: 1,
    err: 'trough: schema sql failed validation: near "x": syntax error (SCHEMA_INVALID)\n',
  });
});

test('a server that is not trough is said to be none', async () => {
  expect((await ask(['status'], json('<html>', 502))).err).toMatch(/answered 502 and not as trough does/);
  expect((await ask(['status'], json('{}'))).err).toMatch(
    /did not answer as trough does: is it trough's manager port\?/,
  );
});

test('nothing listening is said with what to do about it', async () => {
  const run = await cli(['status', '--manager-url', 'http://127.0.0.1:1']);
  expect(run).toMatchObject({
    code: 4,
    err: 'trough: nothing listens at http://127.0.0.1:1; start trough, or pass --manager-url (NODE_UNAVAILABLE)\n',
  });
});

test('the list of segments is read page by page, as a table or as lines of JSON', async () => {
  const row = (id: string): string =>
    `{"id":"${id}","slot":1,"tier":"hot","version":0,"sizeBytes":5,"sha256":null,"schema":null,"state":"read-only"}`;
  let page = 0;
  const answer = (response: ServerResponse): void => {
    page += 1;
    json(page % 2 === 1 ? `{"segments":[${row('a')}],"next":"a"}` : `{"segments":[${row('b')}]}`)(response);
  };
  const table = await ask(['segments', '--matching', '^[ab]$'], answer);
  expect(table.seen.map(({ url }) => url)).toEqual([
    '/v1/segments?limit=1000&matching=%5E%5Bab%5D%24',
    '/v1/segments?limit=1000&matching=%5E%5Bab%5D%24&after=a',
  ]);
  expect(table.out.split('\n').map((line) => line.split(' ')[0])).toEqual(['segment', 'a', 'b', '']);
  const lines = await ask(['segments', '--json'], answer);
  expect(
    lines.out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id),
  ).toEqual(['a', 'b']);
});

test('a write is one script; the answer says what changed', async () => {
  const { out, seen } = await ask(
    ['write', 's', 'insert …'],
    json(
      '{"results":[{"changes":2,"lastInsertRowid":9223372036854775807},{"changes":1,"lastInsertRowid":1}],"sequence":1,"node":"n"}',
    ),
  );
  expect(out).toBe('2 statements done, 3 rows changed\n');
  expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ script: 'insert …' });
});

test('shred deletes, with --force also what is writable', async () => {
  const gone = (response: ServerResponse): void => {
    response.writeHead(204).end();
  };
  expect((await ask(['shred', 'a b'], gone)).seen).toMatchObject([{ method: 'DELETE', url: '/v1/segments/a%20b' }]);
  expect((await ask(['shred', 's', '--force'], gone)).seen).toMatchObject([{ url: '/v1/segments/s?force=true' }]);
});

test.each([
  [['nonsense'], /there is no verb 'nonsense'/],
  [['imprt', 'x.csv'], /there is no verb 'imprt'; did you mean import\?/],
  [['query', 's'], /missing required argument 'SQL'/],
  [['query', '../s', 'x'], /is not a segment id/],
  [['query', 's', 'x', '--max-rows', '0'], /--max-rows: '0' is not a whole number/],
  [['query', 's', 'x', '--deadline', '5'], /--deadline: '5' needs a unit/],
  [['query', 's', 'x', '--format', 'xml'], /Allowed choices are table, json, ndjson, csv/],
  [['status', '--manager-url', 'ftp://x'], /is not an http:\/\/ address/],
  [['--copies', '99'], /flag --copies: must be a whole number/],
  [['import', 'x.csv'], /required option '--segment-by <COLUMN>'/],
])('%j is wrong usage', async (args, expected) => {
  const run = await cli(args);
  expect(run).toMatchObject({ code: 2, out: '' });
  expect(run.err).toMatch(expected);
  expect(run.err.trim().split('\n')).toHaveLength(1);
});

test.each([
  '',
  'run',
  'query',
  'write',
  'provision',
  'promote',
  'release',
  'shred',
  'segments',
  'schema',
  'status',
  'where',
  'plan',
  'drain',
  'undrain',
  'import',
])('trough %s --help has examples', async (verb) => {
  const run = await cli(verb === '' ? ['--help'] : [verb, '--help']);
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(run.out).toMatch(new RegExp(`Examples:\\n[^]*trough ${verb === 'run' ? '' : verb}`));
});

test('--print-config prints the settings and starts nothing', async () => {
  const run = await cli(['--print-config', '--copies', '3'], { env: { TROUGH_ZONE: 'z' } });
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(run.out).toMatch(/^copies: 3 +# flag --copies$/m);
  expect(run.out).toMatch(/^zone: z +# environment TROUGH_ZONE$/m);
});
