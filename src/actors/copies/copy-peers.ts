import { type Disk, type FileDigest } from '../../disk/disk.ts';
import { type Engine } from '../../engine/engine.ts';
import { TroughError } from '../../errors.ts';
import { type Log } from '../../log.ts';
import { type ManifestRow } from '../../messages/control.ts';
import { type FileRequest, type PassedFile } from '../../messages/copy-report.ts';
import { type SegmentId } from '../../model/segment-id.ts';

/** The other nodes, as those who have copies too. */
export interface CopyPeers {
  /** Those that live: first the ones that are to have the segment, now or until now, then all others that may still have it. */
  readonly holders: (id: SegmentId) => readonly string[];
  /** The other nodes that the segment is placed on, whether they live or not. */
  readonly targets: (id: SegmentId) => readonly string[];
  /** The node's copy of one version. SEGMENT_UNKNOWN when it has another or none; NODE_UNAVAILABLE. */
  readonly pass: (node: string, request: FileRequest, signal: AbortSignal) => Promise<PassedFile>;
}

interface Deps {
  readonly peers: Pick<CopyPeers, 'holders' | 'pass'>;
  readonly disk: Disk;
  readonly engine: Engine;
  readonly log: Log;
}

/** Writes another node's copy of that very version to `to`, compared and checked; undefined when nobody gave one. */
export async function fetchFromPeers(
  deps: Deps,
  id: SegmentId,
  row: ManifestRow,
  to: string,
  signal: AbortSignal,
): Promise<FileDigest | undefined> {
  for (const node of deps.peers.holders(id)) {
    try {
      return await fetchFrom(deps, node, id, row, to, signal);
    } catch (error) {
      await deps.disk.removeDatabase(to);
      signal.throwIfAborted();
      const fields = { actor: 'copier', segment: id, version: row.version, node, err: TroughError.from(error) };
      deps.log.debug(fields, 'another node could not pass on its copy');
    }
  }
  return undefined;
}

async function fetchFrom(
  { peers, disk, engine }: Deps,
  node: string,
  id: SegmentId,
  { version, sha256 }: ManifestRow,
  to: string,
  signal: AbortSignal,
): Promise<FileDigest> {
  const passed = await peers.pass(node, { segment: id, version, sha256 }, signal);
  const digest = await disk.write(to, passed.body);
  if (digest.sha256 !== (sha256 ?? passed.sha256)) {
    const message = `the copy of '${id}' that '${node}' passed on does not hold what it should`;
    throw new TroughError('SEGMENT_DAMAGED', message, { segment: id, node });
  }
  await engine.verify(to, signal);
  return digest;
}
