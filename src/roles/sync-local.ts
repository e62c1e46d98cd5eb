import { Copier } from '../actors/copies/copier.ts';
import { type CopyPeers } from '../actors/copies/copy-peers.ts';
import { Inventory, INVENTORY_MIGRATIONS } from '../actors/copies/inventory.ts';
import { TroughError } from '../errors.ts';
import { isPlacedOn, treatmentOf } from '../messages/copy-places.ts';
import { decodeDocument, RuleDocument } from '../messages/documents.ts';
import { keys, RULES_PREFIX } from '../messages/keys.ts';
import { type RestoreAnswer, RestoreRequest } from '../messages/cold-check.ts';
import { type CopyReport, CopyRequest } from '../messages/copy-report.ts';
import { Assign } from '../messages/node-messages.ts';
import { nodesOf } from '../model/placement.ts';
import { decodePlacement } from '../model/placement-document.ts';
import { parseSegmentId, type SegmentId } from '../model/segment-id.ts';
import { slotOf } from '../model/slot.ts';
import { type Settings } from '../settings/schema.ts';
import { localRoutes } from '../http/manager-routes.ts';
import { careForCopies, newestElsewhere, possibleHolders } from './copy-care.ts';
import { answerJson, hearJson, sayJson } from './endpoints.ts';
import { notReachable } from './readiness.ts';
import { type NodeContext } from './node-context.ts';

/** Bytes a second: with none at all no copy would ever come. */
const LEAST_RATE = 1_024;

/** Keeps the copies that the leader assigns to this node; says which of them are sound. */
export async function startSyncLocal(context: NodeContext): Promise<{ url: string }> {
  const { supervisor, engine, paths, parts, bus, subjects, self, log, settings } = context;
  const database = await engine.openDatabase(paths.inventory, INVENTORY_MIGRATIONS);
  supervisor.adopt('inventory database', () => database[Symbol.asyncDispose]());
  const inventory = await Inventory.load(database, paths);
  parts.inventory = inventory;
  const named = (signal: AbortSignal): ReturnType<typeof namedNow> => namedNow(context, signal);
  const copier = new Copier({
    ...context,
    cold: context.coldForCopies ?? context.cold,
    inventory,
    node: self.node,
    ...{ parallel: settings.copyParallel, bytesPerSecond: rateOf(settings) },
    evictAfterMs: settings.evictAfterMs,
    manifest: (after, signal) => context.calls.manifest(self.node, after, signal),
    namedNow: named,
    emit: (event) => {
      sayJson(bus, subjects.event(event.kind), event);
    },
    peers: peersOf(context),
    newestElsewhere: (id) => newestElsewhere(context, id),
  });
  parts.copier = copier;
  const actor = supervisor.spawn(() => copier);
  parts.reportDamaged = (segment) => {
    actor.send({ kind: 'damaged', segment, foundBy: 'read' });
  };
  const assigned = hearJson(bus, subjects.assign(self.node), Assign, log, (assign) =>
    actor.send({ kind: 'assign', assign }),
  );
  const reports = answerJson(bus, { subject: subjects.node(self.node, 'copy') }, CopyRequest, ({ segment }) =>
    report(context, parseSegmentId(segment)),
  );
  const restores = answerJson(bus, { subject: subjects.node(self.node, 'restore') }, RestoreRequest, (request) =>
    restore(context, request),
  );
  supervisor.adopt('assign subscription', () => {
    restores.unsubscribe();
    reports.unsubscribe();
    assigned.unsubscribe();
  });
  supervisor.every(500, actor, () => ({ kind: 'tick' }));
  await careForCopies(context, { inventory, copier, actor, namedNow: named });
  return context.ports.serve('sync-local', {
    handler: localRoutes({ control: context.calls.control, health: (segment) => health(context, segment), log }),
    ready: () => notReachable(context),
  });
}

function peersOf(context: NodeContext): CopyPeers {
  return {
    holders: (id) => possibleHolders(context, id),
    targets: (id) => context.places(id).target.filter((node) => node !== context.self.node),
    pass: (node, request, signal) => context.calls.pass(node, request, signal),
  };
}

function rateOf({ copyRateBytes }: Settings): number | undefined {
  return copyRateBytes === undefined ? undefined : Math.max(LEAST_RATE, copyRateBytes);
}

async function report({ parts }: NodeContext, segment: SegmentId): Promise<CopyReport> {
  const record = await parts.inventory?.record(segment);
  return {
    copy:
      record === undefined
        ? null
        : {
            version: record.version,
            sizeBytes: record.sizeBytes,
            verifiedMs: record.verifiedMs,
            sha256: record.sha256,
          },
    writable: parts.hotFile(segment) !== undefined,
    wanted: parts.copier?.wantedOf(segment) ?? null,
  };
}

/** What is published is compared with the record of the copy on its way: a copy that is damaged, or was replaced meanwhile, is COLD_COPY_TORN. */
async function restore(
  { parts, paths, care }: NodeContext,
  { segment, version, modifiedMs }: RestoreRequest,
): Promise<RestoreAnswer> {
  const id = parseSegmentId(segment);
  const record = await parts.inventory?.record(id);
  if (care === undefined || record?.version !== version) {
    throw new TroughError('COLD_MISSING', `there is no copy of version ${String(version)} of '${id}' here`, {
      segment,
    });
  }
  const { path, sizeBytes } = await care.restore(id, paths.copy(id), { sha256: record.sha256, modifiedMs });
  return { path, sizeBytes, sha256: record.sha256 };
}

async function health({ parts, disk }: NodeContext, segment: SegmentId): Promise<{ ok: boolean; why: string }> {
  if (parts.hotFile(segment) !== undefined) return { ok: true, why: 'open for writing here' };
  const copy = parts.copy(segment);
  if (copy === undefined) return { ok: false, why: 'no copy here' };
  if (!(await disk.exists(copy.file))) return { ok: false, why: 'its file is gone' };
  return { ok: true, why: `verified copy of version ${String(copy.version)}` };
}

/** By the placement that the store has now, not by what this process last heard. */
async function namedNow(
  { store, bySettings, self }: NodeContext,
  signal: AbortSignal,
): Promise<(segment: SegmentId) => boolean> {
  // In this order: what a rule gave to this node before the placement was read is seen.
  const entry = await store.get(keys.placement, signal);
  if (entry === undefined) return () => true;
  const rules = new Map<string, RuleDocument>();
  for await (const { key, value } of store.list(RULES_PREFIX, signal)) {
    const rule = decodeDocument(RuleDocument, key, value);
    rules.set(rule.segment, rule);
  }
  const { target, serving } = decodePlacement(entry.value);
  return (segment) => {
    const slot = slotOf(segment);
    const places = { target: nodesOf(target, slot), serving: nodesOf(serving, slot) };
    const rule = rules.get(segment);
    return isPlacedOn(self.node, places, treatmentOf(bySettings(segment), rule), rule);
  };
}
