import { type ColdTree, type DirectoryLook } from './cold-tree.ts';
import { isUnsettled } from './directory-state.ts';
import { StrayFiles } from './stray-files.ts';
import { coldPath, readColdName } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

const LOOK_AGAIN_MS = 60_000;

/** A directory as it was searched last. */
interface Searched {
  readonly signature: string;
  readonly unsettled: boolean;
  readonly directories: readonly { readonly path: string; readonly look?: DirectoryLook }[];
  readonly strays: readonly (readonly [SegmentId, string])[];
}

/**
 * For a process that never lists (only the leader does): finds segments that do not lie at their canonical path by reading the names in
 * the whole tree, at most once a minute, for all who ask meanwhile. What has not changed is not read again.
 */
export class StraySearch {
  readonly #tree: ColdTree;
  #searched: ReadonlyMap<string, Searched> = new Map();
  #last: { readonly atMs: number; readonly strays: Promise<StrayFiles> } | undefined;

  constructor(tree: ColdTree) {
    this.#tree = tree;
  }

  async strays(): Promise<StrayFiles> {
    const nowMs = this.#tree.nowMs();
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
    const searched = new Map<string, Searched>();
    const ahead: { readonly path: string; readonly look?: DirectoryLook }[] = [{ path: '' }];
    for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
      const found = await this.#searchOne(at.path, at.look);
      if (found === undefined) continue;
      searched.set(at.path, found);
      for (const [id, path] of found.strays) strays.add(id, path, false);
      ahead.push(...found.directories);
    }
    this.#searched = searched;
    return strays;
  }

  async #searchOne(directory: string, told: DirectoryLook | undefined): Promise<Searched | undefined> {
    const look = told ?? (await this.#tree.lookAt(directory));
    if (look === undefined) return undefined;
    const before = this.#searched.get(directory);
    const mustRead = this.#tree.looksComeFromParents && before !== undefined && before.directories.length > 0;
    if (before?.signature === look.signature && !before.unsettled && !mustRead) return before;
    const unsettled = isUnsettled(look, this.#tree.nowMs());
    const directories: { path: string; look?: DirectoryLook }[] = [];
    const strays: [SegmentId, string][] = [];
    for await (const { name, directory: inside } of this.#tree.names(directory)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (inside !== undefined) {
        directories.push({ path, ...inside });
        continue;
      }
      const meaning = readColdName(name);
      if (meaning.kind === 'segment' && path !== coldPath(meaning.id)) strays.push([meaning.id, path]);
    }
    return { signature: look.signature, unsettled, directories, strays };
  }
}
