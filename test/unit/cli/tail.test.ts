import { type ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { type StopSignal } from '../../../src/cli/context.ts';
import { eventually } from '../../support/eventually.ts';
import { cli, type CliRun, type CliSetting } from './cli-harness.ts';
import { FakeTrough } from './fake-trough.ts';

interface Told {
  readonly changes?: readonly object[];
  readonly next?: string;
  readonly more?: boolean;
}
type Answer = Told | { readonly error: string; readonly message?: string } | 'cut' | 'wait';

const STATUS: Readonly<Record<string, number>> = { SEGMENT_UNKNOWN: 404, FEED_AHEAD: 400 };

/** A node that gives these answers, one to each request, then an empty one to each. */
async function node(answers: Answer[]): Promise<FakeTrough & { readonly asked: string[] }> {
  const fake = await FakeTrough.start();
  const asked: string[] = [];
  fake.answer = (request, response) => {
    asked.push(request.url ?? '');
    give(response, answers.shift() ?? 'wait');
    return true;
  };
  return Object.assign(fake, { asked });
}

function give(response: ServerResponse, answer: Answer): void {
  if (answer === 'wait') return;
  if (answer === 'cut') response.destroy();
  else if ('error' in answer) {
    response.statusCode = STATUS[answer.error] ?? 503;
    response.end(JSON.stringify({ error: { code: answer.error, message: answer.message ?? 'why' } }));
  } else response.end(JSON.stringify({ changes: [], next: '0', more: false, ...answer }));
}

function write(sequence: number, sql: string, more: object = {}): object {
  const statements = [{ sql, changes: 1, lastInsertRowid: 1, ...more }];
  return { kind: 'write', segment: 's', sequence, index: 0, at: '2026-01-01T00:00:00.000Z', statements };
}

const linesOf = ({ out }: CliRun): unknown[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

/** Until it has asked so often; then Ctrl-C. */
async function untilAsked(
  fake: { readonly asked: string[] },
  times: number,
  args: string[],
  given: CliSetting,
): Promise<CliRun> {
  let send: (signal: StopSignal) => void = () => undefined;
  const run = cli(args, { ...given, signals: (sender) => (send = sender) });
  await eventually('the questions', () => fake.asked.length >= times);
  send('SIGINT');
  return run;
}

test('each request is a line, and the last one says where to go on', async () => {
  await using fake = await node([
    { changes: [write(3, 'a'), write(4, 'b')], next: '4-aa', more: true },
    { changes: [write(9, 'c')], next: '9-aa' },
  ]);
  const run = await cli(['tail', 's 1', '--since', '0', '--no-follow'], { env: fake.env });
  expect(fake.asked).toEqual([
    '/v1/segments/s%201/changes?waitMs=0&since=0',
    '/v1/segments/s%201/changes?waitMs=0&since=4-aa',
  ]);
  expect(linesOf(run)).toEqual([
    write(3, 'a'),
    write(4, 'b'),
    write(9, 'c'),
    { _trough: { summary: { next: '9-aa' } } },
  ]);
  expect([run.code, run.err]).toEqual([0, "trough: to go on from here: trough tail 's 1' --since 9-aa\n"]);
});

test('it follows until Ctrl-C, from now on, and ends well', async () => {
  await using fake = await node([{ next: '7-aa' }, { changes: [write(8, 'a')], next: '8-aa' }]);
  const run = await untilAsked(fake, 3, ['tail', 's'], { env: fake.env });
  expect(fake.asked).toEqual([
    '/v1/segments/s/changes?waitMs=0',
    '/v1/segments/s/changes?waitMs=20000&since=7-aa',
    '/v1/segments/s/changes?waitMs=20000&since=8-aa',
  ]);
  expect(linesOf(run)).toEqual([write(8, 'a'), { _trough: { summary: { next: '8-aa' } } }]);
  expect(run.code).toBe(0);
});

test('numbers stay as they were written', async () => {
  await using fake = await FakeTrough.start();
  const line =
    '{"kind":"write","segment":"s","sequence":1,"index":0,"at":"x","statements":[{"sql":"q","params":[5.0,5,9007199254740993,{"base64":"AA=="}],"changes":1,"lastInsertRowid":4611686018427387904}]}';
  fake.answer = (_, response) => {
    response.end(`{"changes":[${line}],"next":"1-aa","more":false}`);
    return true;
  };
  const { out } = await cli(['tail', 's', '--since', '0', '--no-follow'], { env: fake.env });
  expect(out.split('\n')[0]).toBe(line);
});

test('what is no write has the one key _trough, and a gap says what is missing', async () => {
  const gap = {
    kind: 'gap',
    segment: 's',
    after: 1,
    through: 5,
    start: { version: 17, sha256: 'x', since: '5-aa' },
    message: 'gone',
  };
  await using fake = await node([{ changes: [gap, { kind: 'created', segment: 's', sequence: 6 }], next: '6-aa' }]);
  const { kind, ...rest } = gap;
  const run = await cli(['tail', 's', '--since', '1', '--no-follow'], { env: fake.env });
  expect(linesOf(run).slice(0, 2)).toEqual([
    { _trough: { [kind]: rest } },
    { _trough: { created: { segment: 's', sequence: 6 } } },
  ]);
});

test('as text it can be read', async () => {
  await using fake = await node([
    {
      changes: [
        write(3, 'insert into t\nvalues (?)', { params: ['x'] }),
        { kind: 'created', segment: 's', sequence: 4, at: 'then', schema: 'default' },
        { kind: 'based', segment: 's', sequence: 5, version: 17 },
        { kind: 'shredded', segment: 's', sequence: 6 },
        { kind: 'gap', message: 'the changes are gone' },
      ],
      next: '6-aa',
    },
  ]);
  const { out } = await cli(['tail', 's', '--since', '0', '--no-follow', '--format', 'text'], { env: fake.env });
  expect(out).toBe(`s 3 2026-01-01T00:00:00.000Z insert into t
  values (?) ["x"]
s 4 then -- created, with the schema 'default'
s 5 -- goes on from version 17 of cold storage
s 6 -- shredded
-- MISSING: the changes are gone
`);
});

test('a node that goes away is asked again from where it was, and nothing is printed twice', async () => {
  await using fake = await node([
    { changes: [write(3, 'a')], next: '3-aa' },
    'cut',
    { error: 'STOPPING' },
    { changes: [write(4, 'b')], next: '4-aa' },
  ]);
  const run = await untilAsked(fake, 5, ['tail', 's', '--since', '0'], { env: fake.env });
  expect(linesOf(run)).toEqual([write(3, 'a'), write(4, 'b'), { _trough: { summary: { next: '4-aa' } } }]);
  expect(fake.asked.slice(1, 4).every((url) => url.endsWith('since=3-aa'))).toBe(true);
  expect(run.err).toContain('going on\n');
});

test('with several nodes the next one goes on', async () => {
  await using one = await node([{ changes: [write(3, 'a')], next: '3-aa' }, { error: 'STOPPING' }]);
  await using two = await node([{ changes: [write(4, 'b')], next: '4-aa' }]);
  const urls = [one, two].map(({ env }) => env['TROUGH_READ_URL'] ?? '').join(',');
  const run = await untilAsked(two, 2, ['tail', 's', '--since', '0', '--read-url', urls], {});
  expect(linesOf(run).slice(0, 2)).toEqual([write(3, 'a'), write(4, 'b')]);
  expect(two.asked[0]).toContain('since=3-aa');
});

test('at the beginning a node that is not there is said, also when it is the last of several', async () => {
  const gone = await node([]);
  const { env } = gone;
  await gone[Symbol.asyncDispose]();
  const run = await cli(['tail', 's'], { env });
  expect([run.code, run.out]).toEqual([4, '']);
  expect(run.err).toContain('nothing listens');
  await using alive = await node([{ changes: [write(3, 'a')], next: '3-aa' }]);
  const urls = [env, alive.env].map((each) => each['TROUGH_READ_URL'] ?? '').join(',');
  const second = await cli(['tail', 's', '--since', '0', '--no-follow', '--read-url', urls]);
  expect([second.code, linesOf(second)[0]]).toEqual([0, write(3, 'a')]);
});

test('what another try would not mend ends it, and says where it was', async () => {
  await using fake = await node([
    { changes: [write(3, 'a')], next: '3-aa' },
    { error: 'SEGMENT_UNKNOWN', message: "there is no segment 's'" },
  ]);
  const run = await cli(['tail', 's', '--since', '0'], { env: fake.env });
  expect(run.code).toBe(3);
  expect(run.err).toContain('trough tail s --since 3-aa');
  expect(run.err).toContain("there is no segment 's'");
});

test('it ends quietly when nobody reads it any more', async () => {
  await using fake = await node([
    { changes: [write(3, 'a')], next: '3-aa' },
    { changes: [write(4, 'b')], next: '4-aa' },
  ]);
  const run = await cli(['tail', 's', '--since', '0'], { env: fake.env, closesAfter: 1 });
  expect(run.code).toBe(0);
  expect(run.err).toContain('--since 3-aa');
});

test('many are asked for by a pattern, and one must say which', async () => {
  await using fake = await node([{ next: '1:5-aa,2:7-bb' }]);
  const run = await cli(['tail', '--matching', '^a b', '--no-follow'], { env: fake.env });
  expect(fake.asked).toEqual(['/v1/changes?matching=%5Ea%20b&waitMs=0']);
  expect(run.err).toBe("trough: to go on from here: trough tail --matching '^a b' --since 1:5-aa,2:7-bb\n");
  for (const args of [['tail'], ['tail', 's', '--matching', '.'], ['tail', '../x']]) {
    expect((await cli(args, { env: fake.env })).code).toBe(2);
  }
});
