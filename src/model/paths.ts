import { join, sep } from 'node:path';
import { slotName, slotOf } from './slot.ts';

/** Where a node keeps what, under its data directory. The slot directories keep each one small enough for millions of files. */
export interface DataPaths {
  readonly root: string;
  /** Verified copies of published versions. */
  readonly copy: (segment: string) => string;
  /** All of them, in a directory for each slot. */
  readonly copiesDir: string;
  /** The file of a lease that is held here. */
  readonly hot: (segment: string) => string;
  /** All of them, in a directory for each slot. */
  readonly hotDir: string;
  /** Which journal the hot file follows. Without it the file is not gone on from. */
  readonly hotNote: (segment: string) => string;
  /** A file that was read through, of one version. */
  readonly cached: (segment: string, version: number) => string;
  readonly cacheDir: string;
  /** For half-made files; emptied at start. */
  readonly tmpDir: string;
  /** For what SQLite does not want in memory; emptied when the engine starts. */
  readonly scratchDir: string;
  readonly temporary: (segment: string, label: string) => string;
  /** What nobody asks for, or what another node has superseded: kept for a person to look at. */
  readonly lost: (segment: string, label: string) => string;
  readonly lostDir: string;
  /** Files beside the copies that nobody asked for, each under the time at which it was found. */
  readonly lostCopiesDir: string;
  readonly catalogue: string;
  readonly inventory: string;
  /** Which cluster the data here is of. */
  readonly cluster: string;
}

export function dataPaths(root: string): DataPaths {
  const copies = join(root, 'segments');
  const hot = join(root, 'hot');
  // An id has nothing in it that a path would be cleaned of; every read asks for one.
  const inSlot = (kind: string, segment: string): string =>
    `${kind}${sep}${slotName(slotOf(segment))}${sep}${segment}.sqlite`;
  const tmpDir = join(root, 'tmp');
  const lostDir = join(root, 'lost+found');
  const cacheDir = join(root, 'cache');
  return {
    root,
    copy: (segment) => inSlot(copies, segment),
    copiesDir: copies,
    hot: (segment) => inSlot(hot, segment),
    hotDir: hot,
    hotNote: (segment) => `${inSlot(hot, segment)}.note`,
    cached: (segment, version) => join(cacheDir, slotName(slotOf(segment)), `${segment}@${String(version)}.sqlite`),
    cacheDir,
    tmpDir,
    scratchDir: join(root, 'scratch'),
    temporary: (segment, label) => join(tmpDir, `${segment}.${label}.sqlite`),
    lost: (segment, label) => join(lostDir, `${segment}.${label}.sqlite`),
    lostDir,
    lostCopiesDir: join(lostDir, 'copies'),
    catalogue: join(root, 'catalogue.sqlite'),
    inventory: join(root, 'inventory.sqlite'),
    cluster: join(root, 'cluster.json'),
  };
}
