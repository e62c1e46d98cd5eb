import { type z } from 'zod';
import { type Assigner } from '../actors/leader/assigner.ts';
import { type CatalogueMessage } from '../actors/leader/catalogue.ts';
import { type ColdCheckMessage } from '../actors/leader/cold-check.ts';
import { type ManifestPage, type SlotRank } from '../actors/leader/catalogue-rows.ts';
import { type LeadershipState } from '../actors/leader/leadership.ts';
import { type RegistrarMessage } from '../actors/leader/lease-registrar.ts';
import { type PlacerState } from '../actors/leader/placer.ts';
import { type RebuilderMessage } from '../actors/leader/rebuild/rebuilder.ts';
import { type SchemaMessage } from '../actors/leader/schema-registry.ts';
import { type BusAnswer } from '../bus/bus.ts';
import { TroughError } from '../errors.ts';
import { isLost, metadataLost } from '../messages/cluster-view.ts';
import { ColdCheckRequest } from '../messages/cold-check.ts';
import {
  DrainRequest,
  type ManifestAnswer,
  ManifestRequest,
  type ManifestRow,
  MoveWriterRequest,
  type PlanAnswer,
  PlanRequest,
  PromoteRequest,
  ProvisionRequest,
  ReleaseRequest,
  SchemaRequest,
  type SegmentAnswer,
  SegmentRequest,
  type SegmentRow,
  SegmentsRequest,
  ShredRequest,
  type StatusAnswer,
  StatusRequest,
} from '../messages/control.ts';
import { RebuildRequest } from '../messages/rebuild.ts';
import { RuleRequest } from '../messages/segment-rule.ts';
import { SYNC_VERBS, type SyncVerb } from '../messages/subjects.ts';
import { nodesOf } from '../model/placement.ts';
import { parseSegmentId } from '../model/segment-id.ts';
import { segmentUnknown } from '../model/segment-unknown.ts';
import { SLOT_COUNT, type Slot } from '../model/slot.ts';
import { type SlotSums } from '../model/slot-sums.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { ask } from '../runtime/ask.ts';
import { decodeJson, jsonAnswer } from './endpoints.ts';
import { answerDrain } from './leader-drains.ts';
import { answerPlan } from './leader-plan.ts';
import { describeSegment } from './leader-reports.ts';
import { answerRule } from './leader-rules.ts';
import { describeStatus } from './leader-status.ts';
import { type NodeContext } from './node-context.ts';
import { CONTROL_SILENCE_MS, isSilence } from './silence.ts';

export interface LeaderParts {
  readonly leadership: LeadershipState;
  readonly assigner: Assigner;
  readonly catalogue: ActorRef<CatalogueMessage>;
  readonly registrar: ActorRef<RegistrarMessage>;
  readonly coldCheck: ActorRef<ColdCheckMessage>;
  readonly rebuilder: ActorRef<RebuilderMessage>;
  readonly schemas: ActorRef<SchemaMessage>;
  readonly placer: PlacerState;
}

type Answer = (body: Uint8Array) => Promise<unknown>;

/** A request that a standby hands on may upload a whole segment; a leader that falls silent is noticed much sooner. */
const HAND_ON_MS = 3_600_000;

/** Answers `trough.sync.<verb>`: the leader by itself, a standby by handing the request on to the leader. */
export function bindLeaderAnswers(context: NodeContext, parts: LeaderParts): void {
  const { bus, subjects, self, supervisor } = context;
  const answers = makeAnswers(context, parts);
  for (const verb of SYNC_VERBS) {
    const here = async (body: Uint8Array): Promise<BusAnswer> => jsonAnswer(await answers[verb](body));
    const any = bus.answer(
      { subject: subjects.sync(verb), group: 'sync-masters', advertiseAs: `sync-${verb}` },
      ({ body }) => (parts.leadership.term === undefined ? handOn(context, verb, body) : here(body)),
    );
    const mine = bus.answer({ subject: subjects.nodeSync(self.node, verb) }, ({ body }) => {
      if (parts.leadership.term === undefined)
        throw new TroughError('LEADER_UNKNOWN', `'${self.node}' does not lead any more`);
      return here(body);
    });
    supervisor.adopt(`sync.${verb} endpoint`, () => {
      any.unsubscribe();
      mine.unsubscribe();
    });
  }
}

async function handOn(
  { bus, subjects, view, self }: NodeContext,
  verb: SyncVerb,
  body: Uint8Array,
): Promise<BusAnswer> {
  const leader = view.leader()?.document;
  if (leader?.held !== true || leader.node === self.node)
    throw new TroughError('LEADER_UNKNOWN', 'no sync-master leads the cluster now');
  try {
    const options = { deadlineMs: HAND_ON_MS, silenceMs: CONTROL_SILENCE_MS };
    const reply = await bus.request(subjects.nodeSync(leader.node, verb), body, options);
    return { headers: {}, body: reply.body };
  } catch (error) {
    const known = TroughError.from(error);
    if (isSilence(known)) {
      const message = `the leader '${leader.node}' gave no sign of life during '${verb}'; whether it was done is not known`;
      throw new TroughError('LEADER_UNKNOWN', message, { silent: true }, known);
    }
    if (known.code !== 'BUS_NO_RESPONDERS') throw known;
    throw new TroughError('LEADER_UNKNOWN', `the leader '${leader.node}' does not answer`, {}, known);
  }
}

function makeAnswers(context: NodeContext, parts: LeaderParts): Readonly<Record<SyncVerb, Answer>> {
  const { registrar, schemas, catalogue, coldCheck, rebuilder } = parts;
  return {
    provision: checked(ProvisionRequest, (request) => {
      refuseWhileLost(context);
      return ask(registrar, (reply) => ({ kind: 'provision', request, reply }));
    }),
    promote: checked(PromoteRequest, (request) => ask(registrar, (reply) => ({ kind: 'promote', request, reply }))),
    release: checked(ReleaseRequest, (request) => ask(registrar, (reply) => ({ kind: 'release', request, reply }))),
    movewriter: checked(MoveWriterRequest, (request) =>
      ask(registrar, (reply) => ({ kind: 'moveWriter', request, reply })),
    ),
    shred: checked(ShredRequest, (request) => {
      refuseWhileLost(context);
      return ask(registrar, (reply) => ({ kind: 'shred', request, reply }));
    }),
    schema: checked(SchemaRequest, (request) => ask(schemas, (reply) => ({ kind: 'schema', request, reply }))),
    segments: checked(SegmentsRequest, (request) => ask(catalogue, (reply) => ({ kind: 'segments', request, reply }))),
    segment: checked(SegmentRequest, ({ segment }) => answerSegment(context, catalogue, segment)),
    manifest: checked(ManifestRequest, (request) => answerManifest(context, parts, request)),
    status: checked(StatusRequest, ({ node }) => answerStatus(context, parts, node)),
    plan: checked(PlanRequest, (request) => answerPlanned(context, parts, request)),
    drain: checked(DrainRequest, (request) => answerDrain(context, request)),
    rule: checked(RuleRequest, (request) => {
      if (request.op !== 'list') refuseWhileLost(context);
      return answerRule({ ...context, knows: (segment) => isKnown(catalogue, segment) }, request);
    }),
    coldcheck: checked(ColdCheckRequest, (request) => {
      if (request.repair) refuseWhileLost(context);
      return ask(coldCheck, (reply) => ({ kind: 'check', request, reply }));
    }),
    rebuild: checked(RebuildRequest, (request) => ask(rebuilder, (reply) => ({ kind: 'rebuild', request, reply }))),
  };
}

/** Who has which writes is not known: a grant could make a segment anew beside them, a shred delete less than there is. */
function refuseWhileLost({ view }: NodeContext): void {
  if (isLost(view)) throw metadataLost();
}

function checked<Request>(schema: z.ZodType<Request>, answer: (request: Request) => Promise<unknown>): Answer {
  return (body) => answer(decodeJson(schema, body));
}

async function answerSegment(
  context: NodeContext,
  catalogue: ActorRef<CatalogueMessage>,
  id: string,
): Promise<SegmentAnswer> {
  const segment = parseSegmentId(id);
  const row: SegmentRow | undefined = await ask(catalogue, (reply) => ({
    kind: 'segment',
    segment,
    reply,
  }));
  if (row === undefined) throw segmentUnknown(segment);
  return describeSegment({ ...context, copyOf: (node, id) => context.calls.copy(node, id) }, row);
}

async function isKnown(catalogue: ActorRef<CatalogueMessage>, id: string): Promise<boolean> {
  const segment = parseSegmentId(id);
  const row: SegmentRow | undefined = await ask(catalogue, (reply) => ({ kind: 'segment', segment, reply }));
  return row !== undefined;
}

async function answerStatus(
  context: NodeContext,
  { catalogue, placer }: LeaderParts,
  node: string | undefined,
): Promise<StatusAnswer> {
  if (node !== undefined && context.view.node(node) === undefined)
    throw new TroughError('NODE_UNKNOWN', `there is no node '${node}'`, { node });
  const sums: SlotSums = await ask(catalogue, (reply) => ({ kind: 'sums', reply }));
  const extra = await extraBytes(context, catalogue);
  const status = describeStatus(context, sums, { waiting: placer.waiting, extra });
  return node === undefined ? status : { ...status, lost: await context.calls.lost(node) };
}

async function answerPlanned(
  context: NodeContext,
  { catalogue }: LeaderParts,
  request: PlanRequest,
): Promise<PlanAnswer> {
  const sums: SlotSums = await ask(catalogue, (reply) => ({ kind: 'sums', reply }));
  return answerPlan(context, request, sums, await extraBytes(context, catalogue));
}

async function answerManifest(
  context: NodeContext,
  parts: LeaderParts,
  request: ManifestRequest,
): Promise<ManifestAnswer> {
  const { leadership, assigner, catalogue } = parts;
  const placement = context.placement.document;
  const { term } = leadership;
  if (placement === undefined || term === undefined || placement.term !== term) {
    throw new TroughError('LEADER_UNKNOWN', 'the leader has not written its placement yet');
  }
  const slots: SlotRank[] = [];
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const rank = nodesOf(placement.target, slot as Slot).findIndex((node) => node === request.node);
    if (rank !== -1) slots.push([slot, rank]);
  }
  // Read before the rows are: a change in between is told again by a message with the next number.
  const sequence = assigner.sequenceOf(request.node);
  const { after, limit } = request;
  const page: ManifestPage = await ask(catalogue, (reply) => ({
    kind: 'manifest',
    slots,
    after,
    limit,
    reply,
  }));
  const rows = after === undefined ? [...(await extraRows(context, catalogue, request.node)), ...page.rows] : page.rows;
  return { term, epoch: placement.epoch, sequence, ...page, rows };
}

/** What each node holds by rules of single segments. */
async function extraBytes(
  { view }: NodeContext,
  catalogue: ActorRef<CatalogueMessage>,
): Promise<ReadonlyMap<string, number>> {
  const documents = Array.from(view.rules(), ({ document }) => document).filter(({ extra }) => extra.length > 0);
  const bytes = new Map<string, number>();
  if (documents.length === 0) return bytes;
  const ids = documents.map(({ segment }) => segment);
  const rows: readonly ManifestRow[] = await ask(catalogue, (reply) => ({ kind: 'rows', ids, reply }));
  const sizes = new Map(rows.map(({ id, sizeBytes }) => [id, sizeBytes]));
  for (const { segment, extra } of documents) {
    for (const { node } of extra) bytes.set(node, (bytes.get(node) ?? 0) + (sizes.get(segment) ?? 0));
  }
  return bytes;
}

/** What the node holds by rules of single segments, all on the first page. */
async function extraRows(
  { view }: NodeContext,
  catalogue: ActorRef<CatalogueMessage>,
  node: string,
): Promise<readonly ManifestRow[]> {
  const ids = Array.from(view.rules())
    .filter(({ document }) => document.extra.some((one) => one.node === node))
    .map(({ document }) => document.segment);
  return ids.length === 0 ? [] : ask(catalogue, (reply) => ({ kind: 'rows', ids, reply }));
}
