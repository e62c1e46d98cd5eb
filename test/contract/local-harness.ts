import { link, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LocalDirectory } from '../../src/cold/local-directory.ts';
import { tempDir } from '../support/temp-dir.ts';
import { type ColdHarness } from './cold-harness.ts';

export const HOUR_MS = 3_600_000;

/** A cold storage in a temporary directory. */
export async function localHarness(): Promise<ColdHarness> {
  const dir = await tempDir();
  const root = join(dir.path, 'cold');
  let aheadMs = 0;
  const open = (): LocalDirectory => new LocalDirectory({ root, now: () => Date.now() + aheadMs });
  const store = open();
  return {
    store,
    other: open,
    absolute: (path) => join(root, path),
    place: async (path, content) => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(dir.path, 'placing'), content);
      await rename(join(dir.path, 'placing'), join(root, path));
    },
    drop: (path) => rm(join(root, path), { recursive: true }),
    read: (path) => readFile(join(root, path)),
    everything: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
    },
    fill: (paths) => fill(root, paths),
    settle: () => {
      aheadMs = HOUR_MS;
    },
    age: async (path, ms) => {
      const time = (Date.now() - ms) / 1_000;
      await utimes(join(root, path), time, time);
    },
    directoriesRead: () => store.directoriesRead,
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
}

/** The first file of each directory is written, the others are hard links to it. */
async function fill(root: string, paths: readonly string[]): Promise<void> {
  const sources = new Map<string, string>();
  let links: Promise<void>[] = [];
  for (const path of paths) {
    const directory = dirname(path);
    const source = sources.get(directory);
    if (source === undefined) {
      await mkdir(join(root, directory), { recursive: true });
      await writeFile(join(root, path), 'content');
      sources.set(directory, join(root, path));
      continue;
    }
    links.push(link(source, join(root, path)));
    if (links.length < 500) continue;
    await Promise.all(links);
    links = [];
  }
  await Promise.all(links);
}
