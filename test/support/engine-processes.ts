import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { eventually } from './eventually.ts';
import { descendants } from './process-tree.ts';

const KIB_PER_MIB = 1_024;
const LOOKS = 30;
const STILL_WITHIN_MS = 60_000;

/** By process id, the memory in MiB that a trough and each process of its engine have in RAM now. Its nats-server does not count. */
export async function memoryOf(pid: number): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const each of [pid, ...(await engineProcesses(pid))]) {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(statusOf(each))?.[1];
    if (kibibytes !== undefined) found.set(each, Number(kibibytes) / KIB_PER_MIB);
  }
  return found;
}

/** How far the process that grew most has grown, MiB; one that is new counts as a whole. */
export function growth(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  return Math.max(...Array.from(after, ([pid, nowMiB]) => nowMiB - (before.get(pid) ?? 0)));
}

/** Waits until no process of the engine has had anything to do, as often as it was looked at in a while. */
export async function untilEngineRests(pid: number): Promise<void> {
  let looks = 0;
  const atRest = async (): Promise<boolean> => {
    const states = (await engineProcesses(pid)).map(statusOf);
    looks = states.every((status) => /^State:\s+[SZ]/m.test(status)) ? looks + 1 : 0;
    return looks === LOOKS;
  };
  await eventually('the processes of the engine to rest', atRest, STILL_WITHIN_MS);
}

async function engineProcesses(pid: number): Promise<number[]> {
  const children = await descendants(pid);
  return children.filter(({ program }) => program !== 'nats-server').map((child) => child.pid);
}

/** Those that have the file of a segment open. */
export async function processesWith(pid: number, segment: string): Promise<number[]> {
  const all = await engineProcesses(pid);
  return all.filter((each) => openFiles(each).some((path) => basename(path).startsWith(`${segment}.`)));
}

function openFiles(pid: number): string[] {
  const directory = `/proc/${String(pid)}/fd`;
  try {
    return readdirSync(directory).map((name) => linkOf(join(directory, name)));
  } catch {
    return [];
  }
}

/** Empty when it was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Empty when it has ended. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  } catch {
    return '';
  }
}
