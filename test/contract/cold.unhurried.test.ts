import { readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ColdStore } from '../../src/cold/cold-store.ts';
import { FetchProcess } from '../../src/cold/fetch-process.ts';
import { UnhurriedCold } from '../../src/cold/unhurried-cold.ts';
import { eventually } from '../support/eventually.ts';
import { isAlive } from '../support/process-tree.ts';
import { recordingLog } from '../support/recording-log.ts';
import { tempDir } from '../support/temp-dir.ts';
import { coldFilesContract } from './cold.ts';
import { type ColdHarness, listed, seg } from './cold-harness.ts';
import { localHarness } from './local-harness.ts';

interface Unhurried extends ColdHarness<ColdStore> {
  readonly fetches: FetchProcess;
  readonly lines: ReturnType<typeof recordingLog>['lines'];
}

const LONG_MS = 60_000;
/** So much that nobody can have fetched it before a test looks; the file has holes in place of content. */
const LONG_BYTES = 16 * 2 ** 30;

async function unhurried(idleMs = LONG_MS): Promise<Unhurried> {
  const local = await localHarness();
  const { log, lines } = recordingLog();
  const given = { cold: { place: local.absolute('.') }, logLevel: 'silent', logFields: {} } as const;
  const fetches = new FetchProcess({ nodePath: process.execPath, given, idleMs }, log);
  return {
    ...local,
    store: new UnhurriedCold(local.store, fetches),
    other: () => new UnhurriedCold(local.other(), fetches),
    ...{ fetches, lines },
    [Symbol.asyncDispose]: async () => {
      await fetches[Symbol.asyncDispose]();
      await local[Symbol.asyncDispose]();
    },
  };
}

coldFilesContract('fetched in a process of low priority', () => unhurried());

test('every thread of the process that fetches gives way to others', async () => {
  await using cold = await unhurried();
  await using dir = await tempDir();
  // Large enough that all threads of its pool have been at work.
  await cold.place('craw/crawl-1.sqlite', Buffer.alloc(20_000_000));
  await cold.store.fetch(seg('crawl-1'), join(dir.path, 'to'), {});
  const pid = cold.fetches.pid ?? 0;
  expect(pid).toBeGreaterThan(0);
  const threads = readdirSync(`/proc/${String(pid)}/task`).map(Number);
  expect(threads.length).toBeGreaterThan(4);
  const own = getPriority();
  for (const thread of threads) expect(getPriority(thread)).toBe(Math.min(19, own + 10));
});

test('what is called off while it is fetched stops, and leaves nothing behind', async () => {
  await using cold = await unhurried();
  await using dir = await tempDir();
  const controller = new AbortController();
  const fetching = beginLong(cold, dir.path, controller.signal);
  await untilItWrites(dir.path);
  controller.abort();
  await expect(fetching).rejects.toMatchObject({ code: 'COLD_FAILED', context: { cancelled: true } });
  expect(await readdir(dir.path)).toEqual([]);
});

test('a process that is killed in the midst of a fetch leaves nothing of it, and the next fetch has another one', async () => {
  await using cold = await unhurried();
  await using dir = await tempDir();
  const fetching = beginLong(cold, dir.path);
  // Another's file with a name much like it.
  await writeFile(join(dir.path, '.to.x.12345678.part'), 'of another');
  await untilItWrites(dir.path);
  const killed = cold.fetches.pid ?? 0;
  process.kill(killed, 'SIGKILL');
  await expect(fetching).rejects.toMatchObject({ code: 'COLD_FAILED' });
  expect(await readdir(dir.path)).toEqual(['.to.x.12345678.part']);
  expect(cold.lines).toMatchObject([{ pid: killed, reason: 'SIGKILL', fetches: 1 }]);

  await cold.place('craw/crawl-2.sqlite', 'content');
  await cold.store.fetch(seg('crawl-2'), join(dir.path, 'to'), {});
  expect(await readFile(join(dir.path, 'to'), 'utf8')).toBe('content');
  expect(cold.fetches.pid).not.toBe(killed);
});

test('a stop ends what is being fetched, and leaves nothing of it', async () => {
  await using cold = await unhurried();
  await using dir = await tempDir();
  const fetching = beginLong(cold, dir.path);
  await untilItWrites(dir.path);
  const pid = cold.fetches.pid ?? 0;
  await Promise.all([
    cold.fetches[Symbol.asyncDispose](),
    expect(fetching).rejects.toMatchObject({ code: 'COLD_FAILED' }),
  ]);
  expect(isAlive(pid)).toBe(false);
  expect(await readdir(dir.path)).toEqual([]);
  expect(cold.lines).toEqual([]);
  await expect(cold.store.fetch(seg('long'), join(dir.path, 'to'), {})).rejects.toMatchObject({ code: 'COLD_FAILED' });
});

test('a process that cannot be started fails the fetch', async () => {
  await using cold = await localHarness();
  await using dir = await tempDir();
  await cold.place('craw/crawl-1.sqlite', 'content');
  const given = { cold: { place: cold.absolute('.') }, logLevel: 'silent', logFields: {} } as const;
  const options = { nodePath: join(dir.path, 'no-such-program'), given, idleMs: LONG_MS };
  await using fetches = new FetchProcess(options, recordingLog().log);
  const store = new UnhurriedCold(cold.store, fetches);
  for (let tries = 0; tries < 2; tries += 1) {
    await expect(store.fetch(seg('crawl-1'), join(dir.path, 'to'), {})).rejects.toMatchObject({ code: 'COLD_FAILED' });
  }
});

test('a process that has nothing to fetch is ended, and started again by the next fetch', async () => {
  await using cold = await unhurried(50);
  await using dir = await tempDir();
  await cold.place('craw/crawl-1.sqlite', 'content');
  await cold.store.fetch(seg('crawl-1'), join(dir.path, 'first'), {});
  const first = cold.fetches.pid ?? 0;
  await eventually('it has ended', () => !isAlive(first), LONG_MS);
  await cold.store.fetch(seg('crawl-1'), join(dir.path, 'second'), {});
  expect(await readFile(join(dir.path, 'second'), 'utf8')).toBe('content');
  expect(cold.lines).toEqual([]);
});

test('a file in an unusual place is fetched as soon as a listing here has found it', async () => {
  await using cold = await unhurried();
  await using dir = await tempDir();
  await cold.place('craw/crawl-1.sqlite', 'one');
  // From now on the other process takes what it has seen of the tree for the truth, for a minute.
  await expect(cold.store.fetch(seg('stray-1'), join(dir.path, 'to'), {})).rejects.toMatchObject({
    code: 'COLD_MISSING',
  });
  await mkdir(cold.absolute('elsewhere'));
  await writeFile(cold.absolute('elsewhere/stray-1.sqlite'), 'stray');
  expect((await listed(cold.store)).files).toEqual(['crawl-1', 'stray-1']);
  await cold.store.fetch(seg('stray-1'), join(dir.path, 'to'), {});
  expect(await readFile(join(dir.path, 'to'), 'utf8')).toBe('stray');
});

async function beginLong(cold: Unhurried, directory: string, signal?: AbortSignal): Promise<void> {
  await cold.place('l/long.sqlite', '');
  await truncate(cold.absolute('l/long.sqlite'), LONG_BYTES);
  await cold.store.fetch(seg('long'), join(directory, 'to'), {}, signal);
}

function untilItWrites(directory: string): Promise<unknown> {
  const isWritten = async (name: string): Promise<boolean> => (await stat(join(directory, name))).size > 4096;
  return eventually(
    'a part is written',
    async () => {
      const written = await Promise.all((await readdir(directory)).map(isWritten));
      return written.includes(true);
    },
    LONG_MS,
  );
}
