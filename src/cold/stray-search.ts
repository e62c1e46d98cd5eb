import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsence } from './cold-failure.ts';
import { StrayFiles } from './stray-files.ts';
import { coldPath, readColdName } from '../model/cold-path.ts';

const LOOK_AGAIN_MS = 60_000;

/**
 * For a process that never lists (only the leader does): finds segments that do not lie at their canonical path by reading the names in
 * the whole tree, at most once a minute, for all who ask meanwhile.
 */
export class StraySearch {
  readonly #root: string;
  readonly #now: () => number;
  #last: { readonly atMs: number; readonly strays: Promise<StrayFiles> } | undefined;

  constructor(root: string, now: () => number) {
    this.#root = root;
    this.#now = now;
  }

  async strays(): Promise<StrayFiles> {
    const nowMs = this.#now();
    if (this.#last === undefined || Math.abs(nowMs - this.#last.atMs) >= LOOK_AGAIN_MS) {
      this.#last = { atMs: nowMs, strays: this.#search() };
    }
    const { strays } = this.#last;
    try {
      return await strays;
    } catch (error) {
      if (this.#last.strays === strays) this.#last = undefined;
      throw error;
    }
  }

  async #search(): Promise<StrayFiles> {
    const strays = new StrayFiles();
    const ahead = [''];
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) ahead.push(...(await this.#searchOne(at, strays)));
    return strays;
  }

  /** The paths of the directories in this one. */
  async #searchOne(directory: string, strays: StrayFiles): Promise<string[]> {
    const inside: string[] = [];
    try {
      for await (const entry of await opendir(join(this.#root, directory), { bufferSize: 1024 })) {
        const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
        const meaning = readColdName(entry.name);
        if (entry.isDirectory()) {
          if (!entry.name.startsWith('.')) inside.push(path);
        } else if (meaning.kind === 'segment' && path !== coldPath(meaning.id)) {
          strays.add(meaning.id, path, false);
        }
      }
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    return inside;
  }
}
