import { type Copier, type CopierMessage } from '../actors/copies/copier.ts';
import { CopyPasser } from '../actors/copies/copy-passer.ts';
import { CopySurvey } from '../actors/copies/copy-survey.ts';
import { type Inventory } from '../actors/copies/inventory.ts';
import { LostFiles } from '../actors/copies/lost-files.ts';
import { Scrubber } from '../actors/copies/scrubber.ts';
import { LeaseStore } from '../actors/shared/lease-store.ts';
import { type ManifestRow } from '../messages/control.ts';
import { FileRequest, LostRequest } from '../messages/copy-report.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { SHA256_HEADER } from './bus-calls.ts';
import { answerJson, decodeJson } from './endpoints.ts';
import { type NodeContext } from './node-context.ts';

const TICK_MS = 5_000;
const STORE_DEADLINE_MS = 30_000;

export interface CareParts {
  readonly inventory: Inventory;
  readonly copier: Copier;
  readonly actor: ActorRef<CopierMessage>;
  readonly namedNow: (signal: AbortSignal) => Promise<(segment: SegmentId) => boolean>;
}

/** Reads the copies again, looks for files that are not where they should be, and passes copies on to nodes that have lost theirs. */
export async function careForCopies(context: NodeContext, care: CareParts): Promise<void> {
  const { settings, supervisor, bus, subjects, self, parts, disk } = context;
  const { inventory, copier, actor, namedNow } = care;
  const leases = new LeaseStore(context, STORE_DEADLINE_MS);
  const shredded = async (id: SegmentId, signal: AbortSignal): Promise<boolean> =>
    (await leases.read(id, signal))?.document.state === 'shredded';
  const lost = new LostFiles({ ...context, inventory, keepMs: settings.lostFilesForMs, shredded });
  await lost.look();
  parts.lost = lost;
  const shared = { ...context, inventory, isBusy: (id: SegmentId) => copier.isBusy(id), emit: actor.send };
  const scrubber = new Scrubber({ ...shared, periodMs: settings.scrubPeriodMs });
  const survey = new CopySurvey({
    ...shared,
    lost,
    intervalMs: settings.surveyIntervalMs,
    namedNow,
    setAside: (id, to) => copier.setAside(id, to),
  });
  const tick = { kind: 'tick' } as const;
  supervisor.every(
    TICK_MS,
    supervisor.spawn(() => scrubber),
    () => tick,
  );
  supervisor.every(
    TICK_MS,
    supervisor.spawn(() => survey),
    () => tick,
  );
  const listed = answerJson(bus, { subject: subjects.node(self.node, 'lost') }, LostRequest, () => lost.list());
  const passer = new CopyPasser({ inventory, disk, emit: actor.send });
  const passed = bus.answer({ subject: subjects.node(self.node, 'file') }, async ({ body }) => {
    const file = await passer.pass(decodeJson(FileRequest, body));
    return { headers: { [SHA256_HEADER]: file.sha256 }, body: file.body };
  });
  supervisor.adopt('copy endpoints', () => {
    listed.unsubscribe();
    passed.unsubscribe();
  });
  showCare(context, copier, scrubber);
}

/** What another node has of it: the newest, of those that answer. */
export async function newestElsewhere(context: NodeContext, id: SegmentId): Promise<ManifestRow | undefined> {
  const reports = await Promise.all(holders(context, id).map((node) => context.calls.copy(node, id)));
  const copies = reports.map((report) => report?.copy).filter((copy) => copy != null);
  const [newest] = copies.sort((a, b) => b.version - a.version);
  if (newest === undefined) return undefined;
  return { id, version: newest.version, sizeBytes: newest.sizeBytes, sha256: newest.sha256 ?? null };
}

/** The other nodes that live and have the segment, or are to have it. */
function holders({ places, self, view }: NodeContext, id: SegmentId): readonly string[] {
  const { target, serving } = places(id);
  const named = new Set([...serving, ...target]);
  return Array.from(named).filter((node) => node !== self.node && view.node(node)?.state === 'alive');
}

/**
 * Whom to ask for a copy that cold storage lacks: those that are to have it, then all others that keep copies. One that was given up for dead, or is
 * drained, may come back with the last copy there is when the placement does not name it any more.
 */
export function possibleHolders(context: NodeContext, id: SegmentId): readonly string[] {
  const { self, view } = context;
  const keepers = view
    .nodes()
    .filter(({ document, state }) => state === 'alive' && document.roles.includes('sync-local'))
    .map(({ document }) => document.node)
    .filter((node) => node !== self.node);
  return Array.from(new Set([...holders(context, id), ...keepers]));
}

function showCare({ metrics, parts }: NodeContext, copier: Copier, scrubber: Scrubber): void {
  const { repairs } = copier;
  metrics.gauge(
    'trough_copies_damaged',
    'Copies found missing or wrong that are not replaced yet.',
    () => repairs.pending,
  );
  metrics.counters(
    'trough_copies_damaged_total',
    'Copies found missing or wrong, by what found them.',
    'by',
    () => repairs.found,
  );
  metrics.counters(
    'trough_copies_replaced_total',
    'Copies replaced because they were missing or wrong, by where the new ones came from.',
    'from',
    () => repairs.replaced,
  );
  metrics.counter('trough_scrub_copies_total', 'Copies that were read again.', () => scrubber.counts.copies);
  metrics.counter('trough_scrub_bytes_total', 'Bytes of copies that were read again.', () => scrubber.counts.bytes);
  metrics.gauge('trough_lost_files', 'Files in lost+found.', () => parts.lost?.count ?? 0);
}
