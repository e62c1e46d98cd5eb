import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, realpath, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { TroughError } from '../errors.ts';
import { type Log } from '../log.ts';
import { type Clock } from './clock.ts';
import { pause } from './pause.ts';
import { type ProcessTable, systemProcesses } from './process-table.ts';

const BEAT_MS = 1_000;
const WATCH_MS = 3_500;
const LOCK_NAME = /^lock\.(\d+)$/;

export interface DirectoryLockOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What to call the directory in an error, such as `data directory`. */
  readonly what: string;
  readonly processes?: ProcessTable;
}

/** The exclusive use of a directory, until disposed of or until this process is gone, however it goes. */
export interface DirectoryLock extends AsyncDisposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
}

interface Holder {
  readonly pid: number;
  readonly start: string;
  readonly place: string;
  readonly id: string;
}

/**
 * Creates the directory when it is missing, makes sure that it can be written and synced, and locks it.
 *
 * Locks are numbered files, `lock.N`; the highest number holds, and a name is only ever taken by an exclusive link. A dead holder's lock is
 * followed by the next number, not replaced: so of two that find it dead, one wins. A holder is dead when its process (id and start
 * time) is gone; one in another container or on another machine cannot be looked up, and is dead when it has not touched its file for 3.5 s.
 *
 * Errors: DATA_DIRECTORY_IN_USE (context `pid`), DATA_DIRECTORY_UNUSABLE (context `reason`: the system's code).
 */
export async function lockDirectory(directory: string, options: DirectoryLockOptions): Promise<DirectoryLock> {
  try {
    await makeDirectory(resolve(directory));
    const path = await realpath(directory);
    await probe(path);
    return await take(path, options);
  } catch (error) {
    if (error instanceof TroughError) throw error;
    throw unusable(directory, options.what, error);
  }
}

/** By steps of our own: node's recursive mkdir never ends on a file system that answers ENOENT to every mkdir (/proc). */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(directory)).isDirectory()) return;
    const parent = dirname(directory);
    if (code !== 'ENOENT' || parent === directory) throw error;
    await makeDirectory(parent);
    await mkdir(directory);
  }
}

async function take(path: string, options: DirectoryLockOptions): Promise<DirectoryLock> {
  const processes = options.processes ?? systemProcesses;
  const self = await ownIdentity(processes);
  const text = JSON.stringify(self);
  for (;;) {
    const newest = await newestLock(path);
    if (newest > 0) await demandDead(path, newest, self.place, { ...options, processes });
    const number = newest + 1;
    if (await claim(path, number, text)) {
      const file = join(path, `lock.${String(number)}`);
      const stopBeat = beat(file, options);
      return {
        path,
        [Symbol.asyncDispose]: async () => {
          stopBeat();
          if ((await readFile(file, 'utf8').catch(() => undefined)) === text) await unlink(file);
        },
      };
    }
  }
}

/** True when `lock.<number>` is ours and still the highest after it was there for all to see; lower ones are then cleared away. */
async function claim(path: string, number: number, text: string): Promise<boolean> {
  const draft = join(path, `lock-draft-${randomUUID()}`);
  await writeFile(draft, text, { flush: true });
  try {
    await link(draft, join(path, `lock.${String(number)}`));
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
  const numbers = await lockNumbers(path);
  if (numbers.includes(number) && Math.max(...numbers) === number) {
    for (const lower of numbers) if (lower < number) await removeIfThere(join(path, `lock.${String(lower)}`));
    return true;
  }
  await removeIfThere(join(path, `lock.${String(number)}`));
  return false;
}

async function demandDead(
  path: string,
  number: number,
  ownPlace: string,
  options: DirectoryLockOptions & { readonly processes: ProcessTable },
): Promise<void> {
  const file = join(path, `lock.${String(number)}`);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const holder = parseHolder(text);
  const lives =
    holder?.place === ownPlace
      ? (await options.processes.startOf(holder.pid)) === holder.start
      : await isTouched(file, options.clock);
  if (!lives) return;
  const who = holder === undefined ? 'another process' : `process ${String(holder.pid)}`;
  const elsewhere = holder !== undefined && holder.place !== ownPlace ? ' of another container or machine' : '';
  throw new TroughError(
    'DATA_DIRECTORY_IN_USE',
    `the ${options.what} ${path} is in use by ${who}${elsewhere}: stop that one, or give this one a directory of its own`,
    { directory: path, pid: holder?.pid },
  );
}

async function isTouched(file: string, clock: Clock): Promise<boolean> {
  const before = await modifiedAt(file);
  await pause(clock, WATCH_MS);
  const after = await modifiedAt(file);
  return after !== undefined && after !== before;
}

function beat(file: string, { clock, log }: DirectoryLockOptions): () => void {
  let cancel = (): void => undefined;
  let stopped = false;
  const touch = async (): Promise<void> => {
    const now = clock.now() / 1_000;
    await utimes(file, now, now).catch((error: unknown) => {
      if (!stopped) log.warn({ file, err: error }, 'the lock file of a directory in use cannot be touched');
    });
    if (!stopped) cancel = clock.after(clock.untilTick(BEAT_MS), () => void touch());
  };
  cancel = clock.after(clock.untilTick(BEAT_MS), () => void touch());
  return () => {
    stopped = true;
    cancel();
  };
}

async function ownIdentity(processes: ProcessTable): Promise<Holder> {
  const [place, start] = await Promise.all([processes.place(), processes.startOf(processes.ownPid)]);
  return { pid: processes.ownPid, start: start ?? 'unknown', place, id: randomUUID() };
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (
      typeof value !== 'object' ||
      value === null ||
      !('pid' in value && 'start' in value && 'place' in value && 'id' in value)
    )
      return undefined;
    const { pid, start, place, id } = value;
    if (typeof pid !== 'number' || typeof start !== 'string' || typeof place !== 'string' || typeof id !== 'string')
      return undefined;
    return { pid, start, place, id };
  } catch {
    return undefined;
  }
}

async function lockNumbers(path: string): Promise<number[]> {
  return (await readdir(path)).flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? []).map(Number);
}

async function newestLock(path: string): Promise<number> {
  return Math.max(0, ...(await lockNumbers(path)));
}

/** A directory can be there, be writable by its mode bits, and still take nothing: only writing tells. */
async function probe(path: string): Promise<void> {
  const file = join(path, `probe-${randomUUID()}`);
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile('trough');
    await handle.sync();
  } finally {
    await handle.close();
    await unlink(file);
  }
}

async function removeIfThere(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
}

async function modifiedAt(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.mtimeMs;
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there: change its owner, or choose another directory',
  EPERM: 'this user may not write there: change its owner, or choose another directory',
  EROFS: 'its file system is mounted read-only: choose another directory',
  ENOSPC: 'its disk is full: make room, or choose another directory',
  EDQUOT: "this user's disk quota is used up: make room, or choose another directory",
  ENOTDIR: 'a part of its path is a file: choose another directory',
  ENOENT: 'it cannot be created there: choose another directory',
  EEXIST: 'there is a file of that name: choose another directory',
  EIO: 'its disk reports an error: look at the system log',
};

function unusable(directory: string, what: string, cause: unknown): TroughError {
  const reason = codeOf(cause);
  const remedy = REMEDIES[reason] ?? (cause instanceof Error ? cause.message : String(cause));
  return new TroughError(
    'DATA_DIRECTORY_UNUSABLE',
    `the ${what} ${directory} cannot be used: ${remedy}`,
    { directory, reason },
    cause,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
