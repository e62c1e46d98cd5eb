import { type ListEvent } from './cold-store.ts';
import { type ColdTree, type FileLook } from './cold-tree.ts';
import { type StrayFiles } from './stray-files.ts';
import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

/** What it means for the segments that files come, change and go: of several files of one id one is served. Paths are relative to the root. */
export class Sightings {
  readonly #tree: ColdTree;
  readonly #strays: StrayFiles;

  constructor(tree: ColdTree, strays: StrayFiles) {
    this.#tree = tree;
    this.#strays = strays;
  }

  /** A file that is new or changed. */
  async *seen(id: SegmentId, path: string, look: FileLook): AsyncIterable<ListEvent> {
    const strays = this.#strays;
    if (path === coldPath(id)) {
      if (!strays.isCanonicalTaken(id)) {
        for (const stray of strays.all(id)) yield this.#duplicate(stray, path);
        strays.setCanonicalTaken(id, true);
      }
      yield this.#file(id, path, look);
      return;
    }
    const servedBefore = strays.first(id);
    const isTaken = (await this.#tree.stat(coldPath(id))) !== undefined;
    strays.add(id, path, isTaken);
    const served = isTaken ? coldPath(id) : (strays.first(id) ?? path);
    if (served !== path) {
      yield this.#duplicate(path, served);
      return;
    }
    if (servedBefore !== undefined && servedBefore !== path) yield this.#duplicate(servedBefore, path);
    yield this.#file(id, path, look);
  }

  /** A file that is there no more: the next stray of the same id takes its place, or the segment is gone. */
  async *vanished(id: SegmentId, path: string): AsyncIterable<ListEvent> {
    const strays = this.#strays;
    const wasCanonical = path === coldPath(id);
    const wasServed = wasCanonical || (!strays.isCanonicalTaken(id) && strays.first(id) === path);
    if (wasCanonical) strays.setCanonicalTaken(id, false);
    else strays.remove(id, path);
    if (!wasServed) return;
    for (const next of strays.all(id)) {
      const look = await this.#tree.stat(next);
      if (look !== undefined) {
        yield this.#file(id, next, look);
        return;
      }
      strays.remove(id, next);
    }
    yield { kind: 'gone', id, path: this.#tree.absolute(path) };
  }

  #file(id: SegmentId, path: string, look: FileLook): ListEvent {
    const { sizeBytes, modifiedMs } = look;
    const file = { id, path: this.#tree.absolute(path), sizeBytes, modifiedMs };
    return { kind: 'file', file };
  }

  #duplicate(path: string, served: string): ListEvent {
    return {
      kind: 'ignored',
      path: this.#tree.absolute(path),
      why: `the segment lies at ${this.#tree.absolute(served)} too, which is served`,
    };
  }
}
