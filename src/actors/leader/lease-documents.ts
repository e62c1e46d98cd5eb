import { type LeaseDocument, type NodeDocument } from '../../messages/documents.ts';

/** The next lease of a segment, for a node. It starts from what the last one published, unless that was shredded. `stream`: where a journal takes a new segment. */
export function grantedLease(
  segment: string,
  last: LeaseDocument | undefined,
  node: NodeDocument,
  schema: string,
  now: number,
  stream?: string,
): LeaseDocument {
  const base = last?.state === 'shredded' ? undefined : last;
  return {
    segment,
    state: 'held',
    node: node.node,
    session: node.session,
    epoch: (last?.epoch ?? 0) + 1,
    schema: base?.schema ?? schema,
    acquired_on: now,
    version: base?.version ?? null,
    sha256: base?.sha256 ?? null,
    sizeBytes: base?.sizeBytes ?? null,
    under_promotion: false,
    unpromoted: false,
    // Its records stay where they are, however many streams there are by now.
    stream: stream === undefined ? null : (last?.stream ?? stream),
    incarnation: last?.incarnation ?? null,
    formerVersion: formerVersion(last),
  };
}

/** Above all that a shredded segment had: what its last lease names, and what was found in cold storage until then. */
function formerVersion(last: LeaseDocument | undefined): number {
  if (last?.state !== 'shredded') return last?.formerVersion ?? 0;
  return Math.max(last.formerVersion, last.version ?? 0, last.acquired_on);
}

/** The same lease in the hands of another node. */
export function movedLease(last: LeaseDocument, node: NodeDocument, now: number): LeaseDocument {
  const holder = { node: node.node, session: node.session, epoch: last.epoch + 1, acquired_on: now };
  return { ...last, ...holder, under_promotion: false };
}

/** Nobody's: the segment is gone until it is provisioned again. */
export function shreddedLease(segment: string, last: LeaseDocument | undefined, now: number): LeaseDocument {
  return {
    segment,
    state: 'shredded',
    node: '',
    session: '',
    epoch: (last?.epoch ?? 0) + 1,
    schema: last?.schema ?? 'default',
    acquired_on: now,
    version: last?.version ?? null,
    sha256: null,
    sizeBytes: null,
    under_promotion: false,
    unpromoted: false,
    stream: last?.stream ?? null,
    incarnation: last?.incarnation ?? null,
    formerVersion: last?.formerVersion ?? 0,
  };
}
