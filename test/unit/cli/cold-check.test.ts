import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ColdCheckAnswer, type ColdCheckRequest, type ColdFinding } from '../../../src/messages/cold-check.ts';
import { tempDir } from '../../support/temp-dir.ts';
import { cli, type CliRun } from './cli-harness.ts';
import { FakeTrough } from './fake-trough.ts';

const NO_REPAIR = '--repair was not asked for';
const total = { segments: 20, bytes: 1_000_000 };
const checked = { segments: 10, files: 12, bytes: 500_000 };

function finding(kind: ColdFinding['kind'], segment: string | null, more: Partial<ColdFinding> = {}): ColdFinding {
  const path = `/cold/${segment ?? 'x'}.sqlite`;
  return { kind, segment, path, why: 'it is so', copies: [], repaired: false, repair: NO_REPAIR, ...more };
}

/** A cluster that gives these answers, one after the other; an undefined one is an error. */
async function scene(answers: readonly (ColdCheckAnswer | undefined)[]) {
  const dir = await tempDir();
  const trough = await FakeTrough.start();
  const asked: ColdCheckRequest[] = [];
  const state = join(dir.path, 'state');
  let next = 0;
  trough.answer = (request, response, body) => {
    if (request.url !== '/v1/cold/check') return false;
    asked.push(JSON.parse(body) as ColdCheckRequest);
    const answer = answers[next];
    next += 1;
    const busy = { error: { code: 'LEADER_UNKNOWN', message: 'nobody leads' } };
    response.writeHead(answer === undefined ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? busy));
    return true;
  };
  return {
    ...{ asked, state, dir: dir.path },
    check: (...args: string[]): Promise<CliRun> =>
      cli(['cold', 'check', '--state', state, ...args], { env: trough.env }),
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await trough[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

test('each finding is a line that says what, where, why, who has it and what was done; then comes the sum', async () => {
  const lost = finding('lost', 'crawl-1', { why: 'it is not there', copies: [{ node: 'n1', version: 7 }] });
  const leftover = finding('leftover', null, { repaired: true, repair: 'removed' });
  await using run = await scene([
    { findings: [lost], checked, total, next: 'segments:crawl-1' },
    { findings: [leftover], checked, total },
  ]);
  const { code, out, err } = await run.check();
  expect(out.split('\n').slice(0, 2)).toEqual([
    `lost     crawl-1  /cold/crawl-1.sqlite: it is not there; copies on n1 (version 7); left: ${NO_REPAIR}`,
    'leftover -  /cold/x.sqlite: it is so; mended: removed',
  ]);
  expect(out).toMatch(
    /\n20 segments and 24 files \(1\.00 MB read\) in \d+ s: 1 lost, 0 torn, 0 foreign, 1 leftover \(1 mended\)\n$/,
  );
  expect(err).toContain(`the place of this check is kept in ${run.state}`);
  expect(code).toBe(1);
  expect(run.asked).toEqual([
    { read: true, repair: false },
    { read: true, repair: false, after: 'segments:crawl-1' },
  ]);
  expect(await readdir(run.dir)).toEqual([]);
});

test('where nothing is left to be mended it ends with 0', async () => {
  const mended = finding('lost', 'crawl-1', { repaired: true, repair: 'published again' });
  await using run = await scene([{ findings: [mended], checked, total }]);
  expect((await run.check('--repair', '--quick', '--rate', '8MiB')).code).toBe(0);
  expect(run.asked).toEqual([{ read: false, repair: true, bytesPerSecond: 8 * 2 ** 20 }]);
});

test('as JSON each line is a finding and the last one the sum', async () => {
  const torn = finding('torn', 'crawl-1');
  await using run = await scene([{ findings: [torn], checked, total }]);
  const { out } = await run.check('--json');
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines[0]).toEqual(torn);
  expect(lines[1]).toMatchObject({
    _trough: { summary: { checked, open: 1, found: { torn: { all: 1, repaired: 0 }, lost: { all: 0 } } } },
  });
  expect(lines.length).toBe(2);
});

test('one that ended in the middle goes on where it was, and reports all that it ever found', async () => {
  await using run = await scene([
    { findings: [finding('lost', 'crawl-1')], checked, total, next: 'segments:crawl-1' },
    undefined,
    { findings: [finding('foreign', 'crawl-2')], checked, total },
  ]);
  const first = await run.check();
  expect(first).toMatchObject({ code: 4, err: expect.stringContaining('nobody leads') as string });
  // As a crash leaves it.
  await appendFile(run.state, '{"findings":[{"kind":"to');
  const second = await run.check();
  expect(second.err).toContain('goes on with the check that began');
  expect(second.out).toContain('crawl-1');
  expect(second.out).toContain('crawl-2');
  expect(second.out).toContain('20 segments and 24 files');
  expect(run.asked.map(({ after }) => after)).toEqual([undefined, 'segments:crawl-1', 'segments:crawl-1']);
  expect(await readdir(run.dir)).toEqual([]);
});

test('an unfinished check goes on only as it was begun, or is forgotten', async () => {
  await using run = await scene([
    { findings: [], checked, total, next: 'files' },
    undefined,
    { findings: [], checked, total },
  ]);
  await run.check();
  const other = await run.check('--repair');
  expect(other).toMatchObject({ code: 2, err: expect.stringContaining('or --restart') as string });
  expect(await readFile(run.state, 'utf8')).toContain('"files"');
  expect((await run.check('--repair', '--restart')).code).toBe(0);
  expect(run.asked.at(-1)).toEqual({ read: true, repair: true });
});

test('one that came to nothing is begun anew, also otherwise', async () => {
  await using run = await scene([undefined, { findings: [], checked, total }]);
  expect((await run.check()).code).toBe(4);
  expect((await run.check('--repair')).code).toBe(0);
});

test('a state file that is none, and a rate without a unit, are said in a line', async () => {
  await using run = await scene([]);
  await appendFile(run.state, 'not ours\n');
  expect(await run.check()).toMatchObject({ code: 2, err: expect.stringContaining(run.state) as string });
  expect(await run.check('--rate', '8')).toMatchObject({ code: 2, err: expect.stringContaining('8B') as string });
  expect(await readFile(run.state, 'utf8')).toBe('not ours\n');
});
