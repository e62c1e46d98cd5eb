import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type WalkEvent } from './cold-care.ts';
import { type ColdTree, type Found } from './cold-tree.ts';

/**
 * Names everything in a tree, directory by directory, each before those inside it and these in the order of their names. So the last directory that was
 * named whole tells what is still ahead, also to another process.
 */
export async function* walkTree(
  tree: ColdTree,
  after: string | undefined,
  signal?: AbortSignal,
): AsyncIterable<WalkEvent> {
  const ahead = [''];
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    signal?.throwIfAborted();
    const inside: string[] = [];
    if (isBehind(path, after)) {
      for await (const { name, directory } of tree.names(path, signal)) if (directory !== undefined) inside.push(name);
    } else {
      for await (const found of tree.read(path, undefined, signal)) {
        if (found.kind === 'directory') inside.push(found.name);
        else yield eventOf(tree, path, found);
      }
      yield { kind: 'place', after: path };
    }
    // Last in, first out.
    for (const name of inside.sort().reverse()) {
      const child = path === '' ? name : `${path}/${name}`;
      if (!isBehind(child, after) || contains(child, after)) ahead.push(child);
    }
  }
}

function eventOf(tree: ColdTree, directory: string, found: Exclude<Found, { kind: 'directory' }>): WalkEvent {
  const inTree = (name: string): string => (directory === '' ? name : `${directory}/${name}`);
  const fileOf = (id: SegmentId): string => tree.absolute(inTree(`${id}.sqlite`));
  switch (found.kind) {
    case 'file': {
      const { id, look } = found;
      const file = { id, path: fileOf(id), sizeBytes: look.sizeBytes, modifiedMs: look.modifiedMs };
      return { kind: 'file', file, stray: inTree(`${id}.sqlite`) !== coldPath(id) };
    }
    case 'misnamed':
      return {
        kind: 'odd',
        id: undefined,
        path: tree.absolute(inTree(found.name)),
        why: 'its name is not a segment id',
      };
    case 'unfinished':
      return { kind: 'odd', id: found.id, path: fileOf(found.id), why: found.why };
  }
}

/** Whether the walk up to `after` has named what is in this directory. */
function isBehind(path: string, after: string | undefined): boolean {
  if (after === undefined) return false;
  const [mine, last] = [partsOf(path), partsOf(after)];
  for (const [at, part] of mine.entries()) {
    const other = last[at];
    if (other === undefined || part > other) return false;
    if (part < other) return true;
  }
  return true;
}

function contains(path: string, after: string | undefined): boolean {
  return after !== undefined && (path === '' || path === after || after.startsWith(`${path}/`));
}

function partsOf(path: string): string[] {
  return path === '' ? [] : path.split('/');
}
