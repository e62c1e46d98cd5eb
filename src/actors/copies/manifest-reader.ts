import { TroughError } from '../../errors.ts';
import { type ManifestAnswer, type ManifestRow } from '../../messages/control.ts';
import { type Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';

export interface ManifestReaderDeps {
  readonly clock: Clock;
  /** One page of what this node must hold, from the leader. */
  readonly manifest: (after: string | undefined, signal: AbortSignal) => Promise<ManifestAnswer>;
}

export interface WholeManifest {
  readonly place: { readonly term: number; readonly epoch: number; readonly sequence: number };
  readonly ids: ReadonlySet<string>;
}

const PAGE_DEADLINE_MS = 30_000;

/** Each page is handed on as it comes. LEADER_DEPOSED when the placement changed in between. */
export async function readManifest(
  { clock, manifest }: ManifestReaderDeps,
  take: (rows: readonly ManifestRow[]) => Promise<void>,
  stopping: AbortSignal,
): Promise<WholeManifest> {
  const ids = new Set<string>();
  let after: string | undefined;
  let first: ManifestAnswer | undefined;
  do {
    const from = after;
    const page = await withDeadline(clock, PAGE_DEADLINE_MS, (signal) => manifest(from, signal), stopping);
    first ??= page;
    if (page.term !== first.term || page.epoch !== first.epoch)
      throw new TroughError('LEADER_DEPOSED', 'the manifest changed while it was read');
    for (const { id } of page.rows) ids.add(id);
    await take(page.rows);
    after = page.next;
  } while (after !== undefined);
  return { place: { term: first.term, epoch: first.epoch, sequence: first.sequence }, ids };
}
