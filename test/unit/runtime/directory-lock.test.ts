import { readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { type DirectoryLock, lockDirectory } from '../../../src/runtime/directory-lock.ts';
import { type ProcessTable } from '../../../src/runtime/process-table.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { tempDir } from '../../support/temp-dir.ts';

const living = new Map([
  [11, 'a'],
  [12, 'b'],
]);

function processes(ownPid: number, place = 'here'): ProcessTable {
  return {
    ownPid,
    place: () => Promise.resolve(place),
    startOf: (pid) => Promise.resolve(living.get(pid)),
    withArguments: () => Promise.resolve([]),
    signal: () => false,
  };
}

function lock(path: string, table = processes(11), clock = new ManualClock()): Promise<DirectoryLock> {
  return lockDirectory(path, { clock, log: silentLog, what: 'data directory', processes: table });
}

describe('lockDirectory', () => {
  it('creates the directory and its parents', async () => {
    await using temp = await tempDir();
    await using held = await lock(join(temp.path, 'a', 'b'));
    expect((await stat(held.path)).isDirectory()).toBe(true);
  });

  it('leaves nothing behind when it is given up', async () => {
    await using temp = await tempDir();
    await (await lock(temp.path))[Symbol.asyncDispose]();
    expect(await readdir(temp.path)).toEqual([]);
  });

  it('refuses a directory in use, also under another name, and names the process', async () => {
    await using temp = await tempDir();
    await using held = await lock(join(temp.path, 'data'));
    await symlink(held.path, join(temp.path, 'alias'));
    await expect(lock(join(temp.path, 'alias'), processes(12))).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_IN_USE',
      context: { pid: 11 },
      message: expect.stringContaining('process 11') as string,
    });
  });

  it('refuses it to the same process a second time', async () => {
    await using temp = await tempDir();
    await using held = await lock(temp.path);
    await expect(lock(held.path)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_IN_USE' });
  });

  it('takes over from a process that is gone, and from one whose id was given to another', async () => {
    await using temp = await tempDir();
    const record = { pid: 99, start: 'x', place: 'here', id: '1' };
    await writeFile(join(temp.path, 'lock.1'), JSON.stringify(record));
    await (await lock(temp.path))[Symbol.asyncDispose]();
    await writeFile(join(temp.path, 'lock.4'), JSON.stringify({ ...record, pid: 12, start: 'of another process' }));
    await using held = await lock(temp.path);
    expect(await readdir(held.path)).toEqual(['lock.5']);
  });

  it('lets one win when many find the holder dead at the same time', async () => {
    await using temp = await tempDir();
    await writeFile(join(temp.path, 'lock.1'), JSON.stringify({ pid: 99, start: 'x', place: 'here', id: '1' }));
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lock(temp.path)));
    const won = tries.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    await won[0]?.value[Symbol.asyncDispose]();
  });

  it('takes over from a holder in another container that has stopped touching its lock', async () => {
    await using temp = await tempDir();
    await writeFile(join(temp.path, 'lock.1'), JSON.stringify({ pid: 11, start: 'a', place: 'elsewhere', id: '1' }));
    const clock = new ManualClock();
    const taking = lock(temp.path, processes(11), clock);
    const held = await waitWith(clock, taking);
    await held[Symbol.asyncDispose]();
  });

  it('refuses while a holder in another container touches its lock', async () => {
    await using temp = await tempDir();
    const file = join(temp.path, 'lock.1');
    await writeFile(file, JSON.stringify({ pid: 11, start: 'a', place: 'elsewhere', id: '1' }));
    const clock = new ManualClock();
    let at = 1_000;
    const touch = (): Promise<void> => utimes(file, (at += 1), at);
    await expect(waitWith(clock, lock(temp.path, processes(11), clock), touch)).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_IN_USE',
      message: expect.stringContaining('another container or machine') as string,
    });
  });

  it('touches its own lock every second', async () => {
    await using temp = await tempDir();
    const clock = new ManualClock();
    await using held = await lock(temp.path, processes(11), clock);
    await utimes(join(held.path, 'lock.1'), 5, 5);
    await clock.advance(1_000);
    await expect.poll(async () => (await stat(join(held.path, 'lock.1'))).mtimeMs).toBe(clock.now());
  });

  it('says what is wrong with a path that is a file, or lies below one', async () => {
    await using temp = await tempDir();
    const file = join(temp.path, 'file');
    await writeFile(file, '');
    await expect(lock(file)).rejects.toMatchObject({ code: 'DATA_DIRECTORY_UNUSABLE', context: { reason: 'EEXIST' } });
    await expect(lock(join(file, 'below'))).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_UNUSABLE',
      context: { reason: 'ENOTDIR' },
    });
  });

  it('gives up where no directory can be made at all', async () => {
    await expect(lock('/proc/trough/data')).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_UNUSABLE',
      context: { reason: 'ENOENT' },
    });
  });

  it('refuses a directory that takes no file', async () => {
    await expect(
      lockDirectory('/proc/self', { clock: systemClock, log: silentLog, what: 'data directory' }),
    ).rejects.toMatchObject({
      code: 'DATA_DIRECTORY_UNUSABLE',
    });
  });
});

/** Moves the clock on until `promise` has settled. */
async function waitWith<T>(
  clock: ManualClock,
  promise: Promise<T>,
  each: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  const progress = { settled: false };
  const settle = (): void => {
    progress.settled = true;
  };
  promise.then(settle, settle);
  while (!progress.settled) {
    await each();
    await clock.advance(500);
  }
  return promise;
}
