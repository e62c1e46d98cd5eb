import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const POLL_MS = 100;

/** Runs `work` while no other process does so under the same lock file; waits for the other, takes over from one that is gone. */
export async function withLock(file, work) {
  const own = JSON.stringify({ pid: process.pid, start: startOf(process.pid) });
  await take(file, own);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file, own) {
  const draft = `${file}.${randomUUID()}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(draft, own);
  try {
    for (let told = false; !isFirst(draft, file);) {
      const holder = readIfThere(file);
      if (holder !== undefined && !lives(holder)) clearAway(file, holder);
      else if (holder !== undefined && !told) {
        told = true;
        process.stderr.write('trough: another run is setting up; waiting for it\n');
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    rmSync(draft);
  }
}

function isFirst(draft, file) {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Someone else may have done so a moment ago and hold the lock now: what was moved is looked at, and put back if it is not the dead one's. */
function clearAway(file, dead) {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (readIfThere(aside) !== dead) isFirst(aside, file);
  rmSync(aside);
}

function lives(holder) {
  const { pid, start } = JSON.parse(holder);
  return startOf(pid) === start;
}

/** When the process started; its id alone could belong to another one by now. Undefined when it is gone. */
function startOf(pid) {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (process.platform === 'linux') return undefined;
  try {
    process.kill(pid, 0);
    return 'unknown';
  } catch (error) {
    return error.code === 'EPERM' ? 'unknown' : undefined;
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return undefined;
    throw error;
  }
}
