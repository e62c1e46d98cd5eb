import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { type ColdCare } from '../../src/cold/cold-care.ts';
import { type ColdStore, type ListEvent } from '../../src/cold/cold-store.ts';
import { parseSegmentId, type SegmentId } from '../../src/model/segment-id.ts';

/** One empty cold storage, and the hands of somebody else in it. Paths are relative to its root. */
export interface ColdHarness<Store extends ColdStore = ColdStore & ColdCare> extends AsyncDisposable {
  readonly store: Store;
  /** Another object for the same storage, as another process has it. */
  readonly other: () => ColdStore;
  /** The absolute path as `ColdFile.path` says it. */
  readonly absolute: (path: string) => string;
  place(path: string, content: Uint8Array | string): Promise<void>;
  drop(path: string): Promise<void>;
  read(path: string): Promise<Uint8Array | undefined>;
  /** Every path that is there, temporary files too. */
  everything(): Promise<string[]>;
  /** Many small files at these paths, quickly. */
  fill(paths: readonly string[]): Promise<void>;
  /** From now on what was written before counts as long ago. */
  settle(): void | Promise<void>;
  /** Makes a file as old as that. */
  age(path: string, ms: number): Promise<void>;
  /** Directories that listings have read so far. */
  directoriesRead(): number;
}

export interface ColdSuite {
  readonly name: string;
  readonly open: () => Promise<ColdHarness>;
  readonly directories: number;
  readonly filesEach: number;
  /** Directories that each listing reads, changed or not: those that have directories in them, where only their listing tells the times of these. */
  readonly alwaysRead?: number;
}

export const seg = (id: string): SegmentId => parseSegmentId(id);
export const sha = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');
export const code = (expected: string): unknown => expect.objectContaining({ name: 'TroughError', code: expected });

export async function listed(
  store: ColdStore,
  cursor?: string,
): Promise<{ files: string[]; gone: string[]; ignored: string[]; done: Extract<ListEvent, { kind: 'done' }> }> {
  const files: string[] = [];
  const gone: string[] = [];
  const ignored: string[] = [];
  for await (const event of store.list(cursor)) {
    if (event.kind === 'file') files.push(event.file.id);
    if (event.kind === 'gone') gone.push(event.id);
    if (event.kind === 'ignored') ignored.push(event.path);
    if (event.kind === 'done') return { files: files.sort(), gone: gone.sort(), ignored: ignored.sort(), done: event };
  }
  throw new Error('the listing ended without `done`');
}
