import { type ColdTree, type FileLook, type Found } from './cold-tree.ts';
import { type Remembered } from './directory-state.ts';
import { readColdName } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';

/** Also a file that was listed before, and was not looked at. */
export type FoundOrListed = Found | { readonly kind: 'listed'; readonly id: SegmentId; readonly as: Remembered };

export interface Looked {
  readonly id: SegmentId;
  /** Undefined: there is no file any more. */
  readonly look: FileLook | undefined;
}

const LOOKS_AT_A_TIME = 64;

/** The path of a segment's file in a directory. */
export function pathOf(directory: string, id: SegmentId): string {
  return pathIn(directory, `${id}.sqlite`);
}

/** The path of what has that name in a directory. */
export function pathIn(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Reads a directory of a tree where each look costs a call: only files that were not listed before are looked at. */
export async function* readUnlisted(
  tree: ColdTree,
  directory: string,
  listed: ReadonlyMap<SegmentId, Remembered>,
  signal?: AbortSignal,
): AsyncIterable<FoundOrListed> {
  const others: SegmentId[] = [];
  for await (const { name, directory: inside } of tree.names(directory, signal)) {
    if (inside !== undefined) {
      yield { kind: 'directory', name, ...inside };
      continue;
    }
    const meaning = readColdName(name);
    if (meaning.kind === 'misnamed') yield { kind: 'misnamed', name };
    if (meaning.kind !== 'segment') continue;
    const as = listed.get(meaning.id);
    if (as === undefined) others.push(meaning.id);
    else yield { kind: 'listed', id: meaning.id, as };
  }
  for await (const { id, look } of looksAt(tree, directory, others, signal)) {
    if (look !== undefined) yield { kind: 'file', id, look };
  }
}

/** How these files of a directory look now. */
export async function* looksAt(
  tree: ColdTree,
  directory: string,
  ids: readonly SegmentId[],
  signal?: AbortSignal,
): AsyncIterable<Looked> {
  for (let at = 0; at < ids.length; at += LOOKS_AT_A_TIME) {
    signal?.throwIfAborted();
    const some = ids.slice(at, at + LOOKS_AT_A_TIME);
    const look = async (id: SegmentId): Promise<Looked> => ({
      id,
      look: await tree.stat(pathOf(directory, id), signal),
    });
    yield* await Promise.all(some.map(look));
  }
}
