import { type ColdTree, type DirectoryLook, type FileLook, type Found, type FoundName } from '../cold-tree.ts';
import { isYoung } from '../directory-state.ts';
import { readColdName } from '../../model/cold-path.ts';
import { type SegmentId } from '../../model/segment-id.ts';
import { type HdfsFiles, type HdfsStatus } from './hdfs-files.ts';
import { HdfsProblem } from './hdfs-problem.ts';
import { isCutShort, LOOK_BYTES } from '../../model/sqlite-header.ts';

const CHECKS_AT_A_TIME = 16;
const NOTHING = new Uint8Array();
type IsKnown = ((id: SegmentId, look: FileLook) => boolean) | undefined;

/** The tree of segments in HDFS. A directory's times come with the listing of its parent; they change with every name in it, but do not travel upward. */
export class HdfsTree implements ColdTree {
  readonly looksComeFromParents = true;
  readonly looksComeWithNames = true;
  readonly nowMs: () => number;
  readonly #files: HdfsFiles;
  readonly #root: string;

  /** `nowMs` by the name node's clock. */
  constructor(files: HdfsFiles, root: string, nowMs: () => number) {
    this.#files = files;
    this.#root = root;
    this.nowMs = nowMs;
  }

  absolute(path: string): string {
    return path === '' && this.#root !== '' ? this.#root : `${this.#root}/${path}`;
  }

  async lookAt(directory: string, signal?: AbortSignal): Promise<DirectoryLook | undefined> {
    const status = await this.#files.status(this.absolute(directory), signal);
    return status?.kind === 'directory' ? directoryLook(status) : undefined;
  }

  async stat(path: string, signal?: AbortSignal): Promise<FileLook | undefined> {
    const status = await this.#files.status(this.absolute(path), signal);
    return status?.kind === 'file' ? lookOf(status) : undefined;
  }

  async *names(directory: string, signal?: AbortSignal): AsyncIterable<FoundName> {
    for await (const page of this.#pages(directory, signal)) {
      for (const status of page) {
        const isDirectory = status.kind === 'directory';
        yield { name: status.name, directory: isDirectory ? { look: directoryLook(status) } : undefined };
      }
    }
  }

  async *read(directory: string, isKnown: IsKnown, signal?: AbortSignal): AsyncIterable<Found> {
    for await (const page of this.#pages(directory, signal)) {
      const suspects: { readonly id: SegmentId; readonly status: HdfsStatus }[] = [];
      for (const status of page) {
        if (status.kind === 'directory') yield { kind: 'directory', name: status.name, look: directoryLook(status) };
        if (status.kind !== 'file') continue;
        const meaning = readColdName(status.name);
        if (meaning.kind === 'misnamed') yield { kind: 'misnamed', name: status.name };
        if (meaning.kind !== 'segment') continue;
        const look = lookOf(status);
        const isSuspect = isKnown === undefined ? this.#mayBeUnfinished(status) : !isKnown(meaning.id, look);
        if (isSuspect) suspects.push({ id: meaning.id, status });
        else yield { kind: 'file', id: meaning.id, look };
      }
      for (let at = 0; at < suspects.length; at += CHECKS_AT_A_TIME) {
        const some = suspects.slice(at, at + CHECKS_AT_A_TIME);
        for (const found of await Promise.all(some.map((one) => this.#check(directory, one, signal)))) {
          if (found !== undefined) yield found;
        }
      }
    }
  }

  /** While a file is written only its whole blocks show, and its time is that of its creation; whoever is cut off leaves it closed, just now. */
  #mayBeUnfinished({ sizeBytes, blockSize, modifiedMs }: HdfsStatus): boolean {
    return sizeBytes % (blockSize || 1) === 0 || isYoung(modifiedMs, this.nowMs());
  }

  async #check(
    directory: string,
    { id, status }: { readonly id: SegmentId; readonly status: HdfsStatus },
    signal?: AbortSignal,
  ): Promise<Found | undefined> {
    const path = this.absolute(directory === '' ? status.name : `${directory}/${status.name}`);
    let doesNameNodeAnswer = false;
    try {
      if ((await this.#files.blocks(path, signal)).isOpen) {
        return { kind: 'unfinished', id, why: 'somebody is writing it' };
      }
      doesNameNodeAnswer = true;
      const isShort = status.sizeBytes < LOOK_BYTES;
      const head = isShort ? NOTHING : await this.#files.head(path, LOOK_BYTES, signal);
      if (isCutShort(head, status.sizeBytes)) {
        return { kind: 'unfinished', id, why: 'it is shorter than the database in it says: its upload was broken off' };
      }
      return { kind: 'file', id, look: lookOf(status) };
    } catch (error) {
      // One file that cannot be read, its data node being dead for example, does not keep the others from being found.
      if (!(error instanceof HdfsProblem) || (error.retry === 'elsewhere' && !doesNameNodeAnswer)) throw error;
      return error.missing ? undefined : { kind: 'unfinished', id, why: error.message };
    }
  }

  /** Without what is hidden. Nothing when it is gone, or goes meanwhile, unless it is the root. */
  async *#pages(directory: string, signal?: AbortSignal): AsyncIterable<readonly HdfsStatus[]> {
    try {
      for await (const page of this.#files.list(this.absolute(directory), signal)) {
        // Of a file that took the directory's place HDFS lists that file, with an empty name.
        yield page.filter(({ name }) => name !== '' && !name.startsWith('.'));
      }
    } catch (error) {
      if (directory === '' || !(error instanceof HdfsProblem) || !error.missing) throw error;
    }
  }
}

function directoryLook({ fileId, modifiedMs }: HdfsStatus): DirectoryLook {
  return { signature: `${String(fileId)}/${String(modifiedMs)}`, changedMs: modifiedMs };
}

/** The id, since a rename keeps a file's time. */
function lookOf({ sizeBytes, modifiedMs, fileId }: HdfsStatus): FileLook {
  const parts = [sizeBytes, modifiedMs, fileId].map((part) => part.toString(36));
  return { sizeBytes, modifiedMs, signature: parts.join('/') };
}
