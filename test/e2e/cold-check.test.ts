import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { clusterStatus } from '../support/api.ts';
import { coldCheckStory } from '../support/cold-check-story.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { tempDir } from '../support/temp-dir.ts';
import { clientEnv, trough, verb } from '../support/trough-process.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'trough.mjs');
const SEGMENTS = 60;

test('a damaged directory is found out and mended', { timeout: 180_000 }, async () => {
  await using dir = await tempDir();
  const cold = join(dir.path, 'cold');
  await coldCheckStory(cold, {
    place: async (path, content) => {
      await mkdir(dirname(join(cold, path)), { recursive: true });
      await writeFile(join(cold, path), content);
    },
    drop: (path) => rm(join(cold, path)),
    read: (path) => readFile(join(cold, path)),
    age: async (path, ms) => {
      const time = (Date.now() - ms) / 1_000;
      await utimes(join(cold, path), time, time);
    },
  });
});

test('a check goes on where it was when it and the node that leads were killed', { timeout: 120_000 }, async () => {
  await using dir = await tempDir();
  const [cold, data] = [join(dir.path, 'cold'), join(dir.path, 'n1')];
  const one = join(dir.path, 'one.sqlite');
  new Database(one).exec('create table t (a)').close();
  const bytes = await readFile(one);
  const pathOf = (number: number): string => join(cold, 'craw', `crawl-${String(number)}.sqlite`);
  await mkdir(join(cold, 'craw'), { recursive: true });
  for (let number = 0; number < SEGMENTS; number += 1) await writeFile(pathOf(number), bytes);
  // Slowly, so that there is a middle; and nothing else notices what is lost.
  const port = String(await freePort());
  const slowly = ['--cold-walk-rate', '20', '--cold-scan-interval', '1h'];
  const args = ['--cold', cold, '--sync-master-port', port, ...slowly];
  const state = join(dir.path, 'state');
  const command = ['cold', 'check', '--state', state, '--json'];
  {
    await using node = await trough({ data, args });
    await eventually('the catalogue has them', async () => {
      const { segments } = await clusterStatus(node);
      return segments.hot + segments.cold === SEGMENTS;
    });
    await rm(pathOf(0));
    const env = { ...process.env, ...clientEnv(node) };
    const checking = spawn(process.execPath, [PROGRAM, ...command], { env, stdio: 'ignore', detached: true });
    const ended = once(checking, 'close');
    await eventually('a stretch was checked', async () => (await linesOf(state)) >= 2, 30_000);
    process.kill(-(checking.pid ?? 0), 'SIGKILL');
    await ended;
    node.kill('SIGKILL');
    await node.ended;
  }
  await rm(pathOf(9));
  await using node = await trough({ data, args });
  const { code, stdout, stderr } = await verb(command, { env: clientEnv(node) });
  expect(stderr).toContain('goes on with the check');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines.slice(0, -1)).toMatchObject([
    { kind: 'lost', segment: 'crawl-0' },
    { kind: 'lost', segment: 'crawl-9' },
  ]);
  expect(lines.at(-1)).toMatchObject({
    _trough: { summary: { checked: { segments: SEGMENTS, files: SEGMENTS - 2 } } },
  });
  expect(code).toBe(1);
});

async function linesOf(path: string): Promise<number> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere ? (await readFile(path, 'utf8')).split('\n').length - 1 : 0;
}
