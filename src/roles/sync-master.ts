import { CatalogueReads } from '../actors/catalogue-reads.ts';
import { Assigner, type AssignerMessage } from '../actors/leader/assigner.ts';
import { Catalogue, type CatalogueMessage } from '../actors/leader/catalogue.ts';
import { CATALOGUE_MIGRATIONS } from '../actors/leader/catalogue-tables.ts';
import { Drainer } from '../actors/leader/drainer.ts';
import { HotKeeper } from '../actors/leader/hot-keeper.ts';
import { Leadership } from '../actors/leader/leadership.ts';
import { LeaseRegistrar } from '../actors/leader/lease-registrar.ts';
import { LeaseSweeper } from '../actors/leader/lease-sweeper.ts';
import { Placer, type PlacerState } from '../actors/leader/placer.ts';
import { RollCall } from '../actors/leader/roll-call.ts';
import { RuleKeeper } from '../actors/leader/rule-keeper.ts';
import { SchemaRegistry } from '../actors/leader/schema-registry.ts';
import { TroughError } from '../errors.ts';
import { managerRoutes } from '../http/manager-routes.ts';
import { type LocalDatabase } from '../engine/engine.ts';
import { Wanted } from '../messages/node-messages.ts';
import { CATALOGUE_SEGMENT } from '../model/segment-id.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { ask } from '../runtime/ask.ts';
import { hearJson, sayJson } from './endpoints.ts';
import { bindLeaderAnswers } from './leader-answers.ts';
import { startColdCheck } from './leader-cold-check.ts';
import { startRebuilder } from './leader-rebuild.ts';
import { bindReads } from './read-endpoints.ts';
import { notReachable } from './readiness.ts';
import { type NodeContext } from './node-context.ts';

const LEADERSHIP_TICK_MS = 500;
const SECOND_MS = 1_000;
const SWEEP_MS = 2_000;
const REPEAT_MS = 30_000;
const MAILBOX = 100_000;

/** Stands for leadership; the one that leads grants leases, keeps the catalogue and the placement, and answers for the cluster. */
export async function startSyncMaster(context: NodeContext): Promise<{ url: string }> {
  const { self, bus, subjects, supervisor } = context;
  let url = '';
  let onLeading = (): void => undefined;
  const leadership = new Leadership({
    ...context,
    url: () => url,
    emit: ({ kind, term }) => {
      if (kind === 'leading') onLeading();
      sayJson(bus, subjects.event(kind), { node: self.node, term });
    },
  });
  const placing: { state?: PlacerState } = {};
  const assigner = new Assigner({
    leadership,
    placement: () => context.placement.document,
    extra: (segment) => context.view.rule(segment)?.document.extra.map(({ node }) => node) ?? [],
    gainsMore: (node) => placing.state?.gainsMore(node) ?? false,
    nodes: () => copyKeepers(context),
    emit: ({ node, assign }) => {
      sayJson(bus, subjects.assign(node), assign);
    },
  });
  const assigning = supervisor.spawn(() => assigner, { mailboxLimit: MAILBOX });
  const { catalogue, database } = await startCatalogue(context, assigning);
  onLeading = () => {
    catalogue.send({ kind: 'rules' });
    catalogue.send({ kind: 'adopt' });
  };
  const registrar = startRegistrar(context, leadership, catalogue, assigning);
  startDraining(context, leadership, registrar);
  const schemas = supervisor.spawn(() => new SchemaRegistry(context));
  const coldCheck = startColdCheck(context, catalogue, database);
  const placer = (placing.state = startPlacing(context, { leadership, catalogue, assigning }));
  const rebuilder = startRebuilder(context, { leadership, catalogue, database, registrar });
  bindLeaderAnswers(context, { leadership, assigner, catalogue, registrar, schemas, coldCheck, rebuilder, placer });
  supervisor.every(REPEAT_MS, assigning, () => ({ kind: 'repeat' }));
  serveCatalogue(context, leadership);
  // The last to be served and the first to close: what it has taken in is still answered by all of the above.
  const port = openManagerPort(context);
  url = port.url;
  const leading = supervisor.spawn(() => leadership);
  leading.send({ kind: 'tick' });
  supervisor.every(LEADERSHIP_TICK_MS, leading, () => ({ kind: 'tick' }));
  return port;
}

function copyKeepers({ view }: NodeContext): string[] {
  return view
    .nodes()
    .filter(({ document, state }) => state === 'alive' && document.roles.includes('sync-local'))
    .map(({ document }) => document.node);
}

function openManagerPort(context: NodeContext): { url: string } {
  const { ports, calls, log, view } = context;
  const noLeader = (): string[] => (view.leader()?.document.held === true ? [] : ['no sync-master leads yet']);
  return ports.serve('sync-master', {
    handler: managerRoutes({ control: calls.control, log }),
    ready: () => [...notReachable(context), ...noLeader()],
  });
}

async function startCatalogue(
  context: NodeContext,
  assigning: ActorRef<AssignerMessage>,
): Promise<{ readonly catalogue: ActorRef<CatalogueMessage>; readonly database: LocalDatabase }> {
  const { supervisor, engine, paths, settings } = context;
  const database = await engine.openDatabase(paths.catalogue, CATALOGUE_MIGRATIONS);
  supervisor.adopt('catalogue database', () => database[Symbol.asyncDispose]());
  const ruledBy = JSON.stringify([settings.copies, settings.rules]);
  const net = { everyMs: settings.coldFullScanIntervalMs, filesPerSecond: settings.coldWalkRate };
  const catalogue = supervisor.spawn(
    () => new Catalogue({ ...context, database, file: paths.catalogue, net, ruledBy, emit: assigning.send }),
    {
      mailboxLimit: MAILBOX,
    },
  );
  catalogue.send({ kind: 'rules' });
  followRules(context, catalogue);
  catalogue.send({ kind: 'scan' });
  supervisor.every(settings.coldScanIntervalMs, catalogue, () => ({ kind: 'scan' }));
  return { catalogue, database };
}

/** What changed within a second is taken in together. */
function followRules({ supervisor, onRule }: NodeContext, catalogue: ActorRef<CatalogueMessage>): void {
  const changed = new Set<string>();
  onRule((segment) => changed.add(segment));
  supervisor.every(SECOND_MS, { name: 'rules', send: (message: CatalogueMessage) => catalogue.send(message) }, () => {
    const segments = [...changed];
    changed.clear();
    return { kind: 'rules', segments };
  });
}

/** A reader in this process answers for the segment `_catalogue` too; without one it is bound here, for those that are handed on. */
function serveCatalogue(context: NodeContext, leadership: Leadership): void {
  const { parts, paths, calls, self, settings, subjects } = context;
  parts.catalogue = { file: paths.catalogue, leads: () => leadership.term !== undefined };
  if (settings.roles.includes('reader')) return;
  const { read } = new CatalogueReads({
    ...context,
    peers: calls,
    own: () => parts.catalogue,
    others: () => Promise.reject(new TroughError('NODE_UNAVAILABLE', `'${self.node}' answers no reads`)),
    node: self.node,
    deadlineMs: settings.queryDeadlineMs,
    deadlineLimitMs: settings.queryDeadlineLimitMs,
  });
  bindReads(context, [{ subject: subjects.nodeQuery(self.node, CATALOGUE_SEGMENT) }], read);
}

function startRegistrar(
  context: NodeContext,
  leadership: Leadership,
  catalogue: ActorRef<CatalogueMessage>,
  assigning: ActorRef<AssignerMessage>,
): ActorRef<Parameters<LeaseRegistrar['receive']>[0]> {
  const { supervisor, calls, bus, subjects, log } = context;
  const registrar = supervisor.spawn(
    () =>
      new LeaseRegistrar({
        ...context,
        nodes: calls,
        aloneMs: () => leadership.aloneMs,
        news: {
          granted: (segment, schema) => ask(catalogue, (reply) => ({ kind: 'granted', segment, schema, reply })),
          published: (segment, published) =>
            ask(catalogue, (reply) => ({ kind: 'published', segment, published, reply })),
          shredded: async (segment) => {
            await ask(catalogue, (reply) => ({ kind: 'removed', segment, reply }));
            assigning.send({ kind: 'shredded', segment });
          },
        },
      }),
    { mailboxLimit: MAILBOX },
  );
  const aloneMs = (): number | undefined => leadership.aloneMs;
  const takeOver = (segment: string): Promise<boolean> =>
    ask(registrar, (reply) => ({ kind: 'takeOver', segment, reply }));
  const sweeper = supervisor.spawn(() => new LeaseSweeper({ ...context, aloneMs, takeOver }));
  supervisor.every(LEADERSHIP_TICK_MS, sweeper, () => ({ kind: 'tick' }));
  const wanted = hearJson(bus, subjects.wanted, Wanted, log, ({ segment }) =>
    sweeper.send({ kind: 'wanted', segment }),
  );
  supervisor.adopt('wanted subscription', () => {
    wanted.unsubscribe();
  });
  return registrar;
}

function startDraining(
  context: NodeContext,
  leadership: Leadership,
  registrar: ActorRef<Parameters<LeaseRegistrar['receive']>[0]>,
): void {
  const { supervisor } = context;
  const drainer = supervisor.spawn(
    () =>
      new Drainer({
        ...context,
        leadingMs: () => leadership.leadingMs,
        vacate: (segment) => ask(registrar, (reply) => ({ kind: 'vacate', segment, reply })),
      }),
  );
  supervisor.every(SWEEP_MS, drainer, () => ({ kind: 'tick' }));
}

interface PlacingParts {
  readonly leadership: Leadership;
  readonly catalogue: ActorRef<CatalogueMessage>;
  readonly assigning: ActorRef<AssignerMessage>;
}

function startPlacing(context: NodeContext, { leadership, catalogue, assigning }: PlacingParts): PlacerState {
  const { supervisor, settings, view, self, bus, subjects, calls } = context;
  const placer = new Placer({
    ...context,
    leadership,
    placement: () => context.placement.document,
    emit: assigning.send,
    rebuildAfterMs: settings.rebuildAfterMs,
    moves: { perNode: settings.movesPerNode, inAll: settings.movesInAll },
    ranks: context.mostCopies,
    weights: () => ask(catalogue, (reply) => ({ kind: 'weights', reply })),
  });
  const placing = supervisor.spawn(() => placer);
  const say = (message: unknown): void => {
    sayJson(bus, subjects.roll, message);
  };
  const roll = supervisor.spawn(() => new RollCall({ view, leadership, node: self.node, emit: say }));
  const keeper = supervisor.spawn(
    () =>
      new RuleKeeper({
        ...context,
        leadership,
        placement: () => context.placement.document,
        rebuildAfterMs: settings.rebuildAfterMs,
        rows: (ids) => ask(catalogue, (reply) => ({ kind: 'rows', ids, reply })),
        copyOf: (node, segment) => calls.copy(node, segment),
      }),
  );
  const hot = supervisor.spawn(() => new HotKeeper({ ...context, leadership }));
  supervisor.every(SECOND_MS, placing, () => ({ kind: 'tick' }));
  supervisor.every(SWEEP_MS, hot, () => ({ kind: 'tick' }));
  supervisor.every(SECOND_MS, keeper, () => ({ kind: 'tick' }));
  supervisor.every(SECOND_MS, roll, () => ({ kind: 'tick' }));
  return placer;
}
