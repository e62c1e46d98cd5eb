import { expect, test } from 'vitest';
import { type ListEvent } from '../../../src/cold/cold-store.ts';
import {
  type ColdTree,
  type DirectoryLook,
  type FileLook,
  type Found,
  type FoundName,
} from '../../../src/cold/cold-tree.ts';
import { DirectoryListing } from '../../../src/cold/directory-listing.ts';
import { decodeFiles, DirectoryStateBuilder } from '../../../src/cold/directory-state.ts';
import { parseSegmentId } from '../../../src/model/segment-id.ts';

const LONG_AGO_MS = 1_000;
const NOW_MS = 10_000_000;

interface Directory {
  readonly changes: number;
  readonly files: Map<string, { readonly content: string; readonly modifiedMs: number }>;
}

/** A tree in memory, two levels deep, where each look at a file is a call, as in a local directory. */
class PlainTree implements ColdTree {
  readonly looksComeFromParents = false;
  readonly looksComeWithNames = false;
  /** Calls so far. */
  looks = 0;
  aheadMs = 0;
  readonly #directories = new Map<string, Directory>();
  #changes = 0;

  nowMs(): number {
    return NOW_MS + this.aheadMs;
  }

  absolute(path: string): string {
    return `/${path}`;
  }

  put(path: string, content: string, modifiedMs = LONG_AGO_MS): void {
    this.#change(path, (files, name) => files.set(name, { content, modifiedMs }));
  }

  writeInPlace(path: string, content: string): void {
    const [directory = '', name = ''] = path.split('/');
    this.#directories.get(directory)?.files.set(name, { content, modifiedMs: NOW_MS });
  }

  drop(path: string): void {
    this.#change(path, (files, name) => files.delete(name));
  }

  lookAt(directory: string): Promise<DirectoryLook | undefined> {
    const changes = directory === '' ? this.#directories.size : this.#directories.get(directory)?.changes;
    const look = { signature: String(changes), changedMs: LONG_AGO_MS };
    return Promise.resolve(changes === undefined ? undefined : look);
  }

  async *names(directory: string): AsyncIterable<FoundName> {
    await Promise.resolve();
    if (directory === '') for (const name of this.#directories.keys()) yield { name, directory: {} };
    for (const name of this.#directories.get(directory)?.files.keys() ?? []) yield { name, directory: undefined };
  }

  async *read(directory: string): AsyncIterable<Found> {
    for await (const { name, directory: inside } of this.names(directory)) {
      if (inside !== undefined) yield { kind: 'directory', name };
      const look = await this.stat(`${directory}/${name}`);
      if (look !== undefined) yield { kind: 'file', id: parseSegmentId(name.replace('.sqlite', '')), look };
    }
  }

  stat(path: string): Promise<FileLook | undefined> {
    const [directory = '', name = ''] = path.split('/');
    const file = this.#directories.get(directory)?.files.get(name);
    if (file === undefined) return Promise.resolve(undefined);
    this.looks += 1;
    const { content, modifiedMs } = file;
    return Promise.resolve({ sizeBytes: content.length, modifiedMs, signature: content });
  }

  #change(path: string, how: (files: Directory['files'], name: string) => void): void {
    const [directory = '', name = ''] = path.split('/');
    const files = this.#directories.get(directory)?.files ?? (new Map() as Directory['files']);
    how(files, name);
    this.#directories.set(directory, { changes: (this.#changes += 1), files });
  }
}

async function events(
  listing: DirectoryListing,
  cursor: string | undefined,
  hear?: (event: ListEvent) => void,
): Promise<{ said: string[]; cursor: string }> {
  const said: string[] = [];
  for await (const event of listing.list(cursor)) {
    hear?.(event);
    if (event.kind === 'done') return { said: [...said, `${String(event.files)} files`], cursor: event.cursor };
    said.push(event.kind === 'file' ? event.file.id : event.kind === 'gone' ? `gone ${event.id}` : event.kind);
  }
  throw new Error('no end');
}

function fullTree(): PlainTree {
  const tree = new PlainTree();
  for (const directory of ['a', 'b']) {
    for (const file of ['100', '101', '102']) tree.put(`${directory}/${directory}${file}.sqlite`, 'old');
  }
  return tree;
}

test('new and vanished files of all directories are named before any file that was known is looked at', async () => {
  const tree = fullTree();
  const listing = new DirectoryListing(tree);
  const { cursor } = await events(listing, undefined);
  tree.put('a/a100.sqlite', 'replaced');
  tree.put('a/a103.sqlite', 'new');
  tree.drop('a/a102.sqlite');
  tree.put('b/b103.sqlite', 'new');
  const before = tree.looks;
  let looksAtNew = 0;
  const { said } = await events(listing, cursor, ({ kind }) => {
    if (kind === 'named') looksAtNew = tree.looks - before;
  });
  expect(said.slice(0, 3).sort()).toEqual(['a103', 'b103', 'gone a102']);
  expect(said.slice(3)).toEqual(['named', 'a100', '7 files']);
  expect(looksAtNew).toBe(2);
});

test('a known file that goes while the others are looked at is gone', async () => {
  const tree = fullTree();
  const listing = new DirectoryListing(tree);
  const first = await events(listing, undefined);
  tree.put('a/a103.sqlite', 'new');
  const second = await events(listing, first.cursor, ({ kind }) => {
    if (kind === 'named') tree.drop('a/a101.sqlite');
  });
  expect(second.said).toEqual(['a103', 'named', 'gone a101', '6 files']);
  expect((await events(listing, second.cursor)).said).toEqual(['named', '6 files']);
});

test('a listing of what nobody changed looks at no file', async () => {
  const tree = fullTree();
  const listing = new DirectoryListing(tree);
  const { cursor } = await events(listing, undefined);
  const before = tree.looks;
  expect((await events(listing, cursor)).said).toEqual(['6 files']);
  expect(tree.looks).toBe(before);
});

test('in a directory that nobody changed only the files that were young are looked at again, until they are not', async () => {
  const tree = fullTree();
  const listing = new DirectoryListing(tree);
  tree.put('a/a103.sqlite', 'being written', NOW_MS - 1_000);
  const first = await events(listing, undefined);
  tree.writeInPlace('a/a103.sqlite', 'written');
  const before = tree.looks;
  const second = await events(listing, first.cursor);
  expect(second.said).toEqual(['named', 'a103', '7 files']);
  expect(tree.looks - before).toBe(1);
  tree.aheadMs = 120_000;
  const third = await events(listing, second.cursor);
  expect(third.said).toEqual(['named', '7 files']);
  const { looks } = tree;
  expect((await events(listing, third.cursor)).said).toEqual(['7 files']);
  expect(tree.looks).toBe(looks);
});

test('what is remembered of files where they belong takes 12 bytes each, and says which they were', () => {
  const look = { signature: '1', changedMs: LONG_AGO_MS };
  const builder = new DirectoryStateBuilder('crawls/station', look, NOW_MS);
  const ids = [...Array(1_000).keys()].map((number) => parseSegmentId(`station${String(number).padStart(3, '0')}`));
  const odd = ['elsewhere', 'station', 'öäü-1', 'statio'].map(parseSegmentId);
  const seen = new Map(
    [...ids, ...odd].map((id) => {
      const file = { sizeBytes: 1, modifiedMs: LONG_AGO_MS, signature: `1/${id}/2` };
      return [id, builder.addFile(id, file, ids.includes(id))];
    }),
  );
  const state = builder.build();
  const remembered = decodeFiles('crawls/station', state);
  expect(new Map(Array.from(remembered, ([id, file]) => [id, file.fingerprint]))).toEqual(seen);
  expect(new Set(seen.values()).size).toBe(1_004);
  expect(state.canonical).toBe(1_000);
  expect(state.files.length).toBeLessThan(12 * 1_000 + 100);
});
