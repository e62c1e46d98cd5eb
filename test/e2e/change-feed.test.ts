import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'nats';
import { expect, test } from 'vitest';
import { promote, provision, provisionAll, release, writeTo } from '../support/api.ts';
import { AppendLoad, LIST } from '../support/append-load.ts';
import { eventually } from '../support/eventually.ts';
import { connectJournal } from '../support/nats-journal.ts';
import { numbersIn, tailing, type TailLine } from '../support/tail-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { threeNodes } from '../support/three-nodes.ts';
import { trough, type TroughRun, verb } from '../support/trough-process.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function readUrls(nodes: readonly TroughRun[]): string {
  return nodes.map(({ ready }) => ready.urls.read ?? '').join(',');
}

test('one who follows sees every acknowledged write once and in order, over the end of a writer, of nats-server, and of the node it asks', async () => {
  await using cluster = await threeNodes('--journal', 'nats');
  const { nats } = cluster;
  const [first, second, third] = cluster.nodes;
  const segments = upTo(3).map((index) => `list-${String(index)}`);
  await using all = tailing(['--matching', '^list-', '--read-url', readUrls([first, second])]);
  await eventually(
    'a position',
    async () => (await verb(['status'], { env: { TROUGH_MANAGER_URL: first.ready.urls.syncMaster ?? '' } })).code === 0,
  );
  const holders = await provisionAll(first, segments, LIST);
  const lost = segments.find((segment) => holders.get(segment) === 'n3') ?? '';
  expect(lost).not.toBe('');
  await using one = tailing([lost, '--since', '0', '--read-url', readUrls([third, second])]);
  let nodes: readonly TroughRun[] = [first, second, third];
  const loads = segments.map((segment) => new AppendLoad(segment, () => nodes));
  const wrote = (more: number): Promise<unknown> => {
    const before = loads.map(({ acknowledged }) => acknowledged);
    return eventually(
      'more writes to each',
      () => loads.every(({ acknowledged }, at) => acknowledged > (before[at] ?? 0) + more),
      90_000,
    );
  };
  await wrote(20);
  await nats.kill();
  await nats.restart();
  await wrote(20);
  third.kill('SIGKILL');
  await third.ended;
  nodes = [first, second];
  await wrote(20);
  await Promise.all(loads.map((load) => load.stop()));
  for (const { segment, acknowledged } of loads) {
    await eventually(`all of ${segment}`, () => numbersIn(all.lines, segment).length >= acknowledged, 30_000);
    expect(numbersIn(all.lines, segment)).toEqual(upTo(acknowledged));
  }
  const { acknowledged = 0 } = loads.find(({ segment }) => segment === lost) ?? {};
  await eventually('all of the one', () => numbersIn(one.lines, lost).length >= acknowledged, 30_000);
  expect(numbersIn(one.lines, lost)).toEqual(upTo(acknowledged));
  for (const run of [all, one]) {
    expect(await run.stop()).toBe(0);
    expect(run.lines.some((line) => line._trough?.['gap'] !== undefined)).toBe(false);
    const summary = run.lines.at(-1)?._trough?.['summary'];
    expect(summary?.['next']).toEqual(expect.stringMatching(/^\d/));
    expect(run.stderr()).toContain(`--since ${String(summary?.['next'])}`);
  }
});

test('it goes on where it ended, tells what a promote took out of the journal, and follows from the version it names', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path, args: ['--journal', 'nats'] });
  const env = { TROUGH_READ_URL: node.ready.urls.read ?? '' };
  const { writeUrl } = await provision(node, 's');
  const tail = async (
    ...args: string[]
  ): Promise<{ said: string[]; next: string; gap: Readonly<Record<string, unknown>> | undefined }> => {
    const { code, stdout, stderr } = await verb(['tail', 's', '--no-follow', ...args], { env });
    if (code !== 0) throw new Error(stderr);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TailLine);
    const notes = lines.flatMap(({ _trough }) => (_trough === undefined ? [] : [_trough]));
    return {
      said: lines.flatMap(({ statements = [] }) => statements.map(({ sql }) => sql)),
      next: String(notes.find(({ summary }) => summary !== undefined)?.['summary']?.['next']),
      gap: notes.find(({ gap }) => gap !== undefined)?.['gap'],
    };
  };
  await writeTo(writeUrl, 'create table t (a)');
  await writeTo(writeUrl, 'insert into t values (1)');
  const begun = await tail('--since', '0');
  expect(begun.said).toEqual(['create table t (a)', 'insert into t values (1)']);
  await writeTo(writeUrl, 'insert into t values (2); insert into t values (3)');
  expect((await tail('--since', begun.next)).said).toEqual(['insert into t values (2)', 'insert into t values (3)']);

  const { version } = await promote(node, 's');
  await writeTo(writeUrl, 'insert into t values (4)');
  const whole = await tail('--since', begun.next);
  expect([whole.said.length, whole.gap]).toEqual([3, undefined]);
  // As the node does two minutes after a promote.
  await using opened = await connectJournal([node.ready.urls.nats], {
    prefix: 'trough',
    streams: 4,
    limitBytes: undefined,
  });
  const { journal } = opened;
  const key = { stream: journal.pickStream('s'), name: 's' };
  await journal.purge(key, (await journal.last(key))?.sequence ?? 0);
  const { gap } = await tail('--since', '0');
  expect(gap).toMatchObject({ after: 0, reason: 'purged', start: null });

  await promote(node, 's');
  await release(node, 's');
  await journal.purge(key, (await journal.last(key))?.sequence ?? 0);
  const ended = await tail('--since', begun.next);
  const started = ended.gap?.['start'] as { version: number; since: string };
  expect(ended.gap).toMatchObject({ after: Number.parseInt(begun.next, 10), reason: 'purged' });
  expect(started.version).toBeGreaterThanOrEqual(version);
  await writeTo((await provision(node, 's')).writeUrl, 'insert into t values (5)');
  const followed = await tail('--since', started.since);
  expect([followed.said, followed.gap]).toEqual([['insert into t values (5)'], undefined]);

  const refused = async (...args: string[]): Promise<string> => (await verb(['tail', ...args], { env })).stderr;
  expect(await refused('s', '--since', '999999')).toContain('FEED_AHEAD');
  expect(await refused('nowhere')).toContain('SEGMENT_UNKNOWN');
});

test('any NATS client follows with requests, and waits for what comes', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path, args: ['--journal', 'nats'] });
  const { writeUrl } = await provision(node, 'a.b');
  const nats = await connect({ servers: node.ready.urls.nats });
  try {
    const ask = async (
      subject: string,
      body: object,
    ): Promise<{ changes: { kind: string; statements?: unknown }[]; next: string }> =>
      (await nats.request(subject, JSON.stringify(body), { timeout: 30_000 })).json();
    const { next } = await ask('trough.changes.a=2Eb', {});
    const many = await ask('trough.changes', { matching: '^a' });
    const waiting = ask('trough.changes.a=2Eb', { since: next, waitMs: 20_000 });
    // Longer than an answering node is silent towards its own kind.
    const begunAt = performance.now();
    await eventually('three seconds', () => performance.now() > begunAt + 3_000);
    await writeTo(writeUrl, 'create table t (a)');
    expect((await waiting).changes).toMatchObject([
      { kind: 'write', segment: 'a.b', statements: [{ sql: 'create table t (a)' }] },
    ]);
    expect((await ask('trough.changes', { matching: '^a', since: many.next })).changes).toHaveLength(1);
    const { headers } = await nats.request('trough.changes.nowhere', '{}', { timeout: 30_000 });
    expect(headers?.get('Trough-Error')).toBe('SEGMENT_UNKNOWN');
    const wrong = await nats.request('trough.changes.a=2Eb', '{"from":1}', { timeout: 30_000 });
    expect(wrong.headers?.get('Trough-Error')).toBe('REQUEST_INVALID');
  } finally {
    await nats.close();
  }
});

test("the documents' example for programs does what it says", async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path, args: ['--journal', 'nats'] });
  const { writeUrl } = await provision(node, 'stations');
  const document = await readFile(join(ROOT, 'docs', 'changes.md'), 'utf8');
  const example = /```js\n([^]*?)```/.exec(document)?.[1]?.replace('nats://127.0.0.1:4222', node.ready.urls.nats) ?? '';
  const child = spawn(process.execPath, ['--input-type=module', '--eval', example], { cwd: ROOT, stdio: 'pipe' });
  try {
    let said = '';
    for (const output of [child.stdout, child.stderr])
      output.setEncoding('utf8').on('data', (part: string) => {
        said += part;
      });
    await writeTo(writeUrl, 'create table t (a)');
    await eventually('both changes', () => /^created \d+\nwrite \d+\n$/.test(said), 30_000);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});

test('those who wait do not hold up a node that stops, and a segment without a journal cannot be followed', async () => {
  await using dir = await tempDir();
  await using node = await trough({ data: dir.path, args: ['--journal', 'none', '--stop-grace', '20s'] });
  await provision(node, 's');
  const { code, stderr } = await verb(['tail', 's'], { env: { TROUGH_READ_URL: node.ready.urls.read ?? '' } });
  expect([code, stderr]).toEqual([1, expect.stringContaining('FEED_NO_JOURNAL')]);
  await using dir2 = await tempDir();
  await using journaled = await trough({ data: dir2.path, args: ['--stop-grace', '60s'] });
  await provision(journaled, 's');
  await using run = tailing(['s', '--read-url', journaled.ready.urls.read ?? '']);
  const metrics = async (): Promise<string> => (await fetch(new URL('metrics', journaled.ready.urls.read))).text();
  await eventually('one who waits', async () => (await metrics()).includes('trough_feeds_open 1'));
  const begunAt = performance.now();
  journaled.kill('SIGTERM');
  expect((await journaled.ended).code).toBe(0);
  // The wait is 20 s, the grace of requests 24 s.
  expect(performance.now() - begunAt).toBeLessThan(15_000);
  expect(await run.stop()).toBe(0);
});
