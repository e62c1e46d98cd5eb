import { type Journal, type JournalKey } from '../../journal/journal.ts';
import { type GapStart } from '../../messages/changes.ts';
import { decodeRecord } from '../../messages/journal-record.ts';
import { formatPosition } from '../../model/change-position.ts';
import { type LeaseStore } from '../shared/lease-store.ts';

export interface GapStartDeps {
  readonly journal: Journal;
  readonly leases: LeaseStore;
}

/**
 * The published state to start from when the records up to `through` are gone: the one that the lease names, whose place in the chain its intent or its
 * closing tells. Undefined: nothing that is published has them all. `mark`: of the stream.
 */
export async function gapStart(
  { journal, leases }: GapStartDeps,
  key: JournalKey,
  { from, through, mark }: { readonly from: number; readonly through: number; readonly mark: string },
  signal: AbortSignal,
): Promise<GapStart | undefined> {
  const published = (await leases.read(key.name, signal))?.document.sha256 ?? null;
  if (published === null) return undefined;
  for await (const { body } of journal.read(key, { from }, signal)) {
    const record = decodeRecord(body);
    if (record.kind !== 'intent' && record.kind !== 'closed') continue;
    const { applied, sha256, version } = record.state;
    if (sha256 === published && applied >= through)
      return { version, sha256, since: formatPosition({ sequence: applied, mark }) };
  }
  return undefined;
}
