import { z } from 'zod';
import { Directory, type DirectoryMessage, type DirectoryNews } from '../actors/directory.ts';
import { Heartbeat, type HeartbeatMessage, type Vitals } from '../actors/heartbeat.ts';
import { TroughError, unreachable } from '../errors.ts';
import { type HttpMetrics } from '../http/metrics.ts';
import { type LeaseEntry } from '../messages/cluster-view.ts';
import { type ClusterDocument, encodeDocument, type NodeDocument, type Urls } from '../messages/documents.ts';
import { keys } from '../messages/keys.ts';
import { Beat, Roll } from '../messages/node-messages.ts';
import { makeSubjects, type Subjects } from '../messages/subjects.ts';
import { dataPaths } from '../model/paths.ts';
import { mostCopies } from '../model/segment-rules.ts';
import { type ActorRef } from '../runtime/actor.ts';
import { type Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { answerApplied } from './applied-endpoint.ts';
import { BusCalls } from './bus-calls.ts';
import { ClusterIdentity } from './cluster-identity.ts';
import { answerJson, hearJson, sayJson } from './endpoints.ts';
import { type RolePorts } from './role-ports.ts';
import { LocalParts } from './local-parts.ts';
import { type NodeContext } from './node-context.ts';
import { type Ports, type PortsDeps } from './ports.ts';
import { treatments } from './treatments.ts';
import { showQueryMetrics } from './query-metrics.ts';

export interface MembershipDeps extends Ports, PortsDeps {
  readonly session: string;
  /** 128 random bits as 32 hexadecimal digits, others at each call. */
  readonly seed: () => string;
  readonly metrics: HttpMetrics;
  readonly ports: RolePorts;
}

export interface Membership {
  readonly context: NodeContext;
  /** Tells the cluster that this node is up, and puts the good-bye first into the stop order. */
  readonly announce: (urls: Urls) => Promise<void>;
  /** Resolves when another process has taken the name of this node, or when the metadata store is not the one any more that it joined. */
  readonly failed: Promise<TroughError>;
}

const SUSPECT_AFTER_MS = 6_000;
const LOST_AFTER_MS = 10_000;
const TICK_MS = 500;
const BEAT_MS = 2_000;
const GOOD_BYE_MS = 2_000;
/** The share of the disk that a node takes when no quota is set. */
const QUOTA_SHARE = 0.8;
const MAILBOX = 1_000_000;
/** A node tells of segments that are read this share of what is too much for a copy: it may be too much over all nodes. */
const TOLD_SHARE = 1 / 8;

/** What every node does, whatever its roles: follow the cluster's documents, beat, answer to its name. */
export async function joinCluster(deps: MembershipDeps): Promise<Membership> {
  const { settings, clock } = deps;
  const subjects = makeSubjects(settings.subjectPrefix);
  const self = { node: settings.node, session: deps.session };
  const calls = new BusCalls({ ...deps, ...settings, subjects });
  await refuseTakenName(calls, self.node);
  const news = new News(deps, subjects, self);
  const directory = makeDirectory(clock, news);
  const parts = new LocalParts();
  const heartbeat = makeHeartbeat(deps, subjects, self, parts);
  const context: NodeContext = {
    ...deps,
    paths: dataPaths(settings.data),
    subjects,
    view: directory,
    calls,
    parts,
    ...treatments(settings, directory),
    mostCopies: mostCopies(settings.rules, settings.copies),
    self,
    confirmed: () => heartbeat.confirmed(),
    lapses: () => heartbeat.lapses,
    isFresh: () => deps.bus.status === 'connected' && heartbeat.isFresh(directory.revision),
    isConnected: () => deps.bus.status === 'connected',
    onLease: (hear) => {
      news.leaseHearers.push(hear);
    },
    onRule: (hear) => {
      news.ruleHearers.push(hear);
    },
  };
  await deps.disk.emptyDirectory(context.paths.tmpDir);
  await deps.disk.emptyDirectory(context.paths.cacheDir);
  showGauges(context);
  showQueryMetrics(context);
  followDocuments(context, directory);
  const beating = beatAndListen(context, heartbeat);
  answerApplied(context);
  await orAbort(news.current, deps.signal);
  parts.identity = await ClusterIdentity.settle(context);
  news.identity = parts.identity;
  return {
    context,
    announce: async (urls) => {
      await announce(context, urls, news);
      beating.send({ kind: 'tick' });
    },
    failed: news.taken,
  };
}

function makeDirectory(clock: Clock, news: News): Directory {
  return new Directory({
    clock,
    suspectAfterMs: SUSPECT_AFTER_MS,
    lostAfterMs: LOST_AFTER_MS,
    emit: (item) => {
      news.hear(item);
    },
  });
}

function makeHeartbeat(
  deps: MembershipDeps,
  subjects: Subjects,
  self: NodeContext['self'],
  parts: LocalParts,
): Heartbeat {
  const { clock, bus } = deps;
  const emit = (beat: Beat): void => {
    sayJson(bus, subjects.beat(self.node), beat);
  };
  return new Heartbeat({ clock, self, emit, vitals: () => vitals(deps, parts) });
}

/** Two processes under one name would take each other's leases for their own. */
async function refuseTakenName(calls: BusCalls, node: string): Promise<void> {
  if ((await calls.ping(node)) !== undefined) throw nameTaken(node);
}

function nameTaken(node: string): TroughError {
  return new TroughError(
    'NODE_NAME_TAKEN',
    `another process of this cluster runs as node '${node}'; give each its own --node`,
    { node },
  );
}

/** What the directory announces, told to those of this process whom it concerns. */
class News {
  readonly leaseHearers: ((lease: LeaseEntry) => void)[] = [];
  readonly ruleHearers: ((segment: string) => void)[] = [];
  readonly #deps: MembershipDeps;
  readonly #subjects: Subjects;
  readonly #self: NodeContext['self'];
  readonly #current = Promise.withResolvers<undefined>();
  readonly #taken = Promise.withResolvers<TroughError>();
  identity: ClusterIdentity | undefined;
  /** From here on a document of ours that names another session is another process. */
  announced = false;

  constructor(deps: MembershipDeps, subjects: Subjects, self: NodeContext['self']) {
    this.#deps = deps;
    this.#subjects = subjects;
    this.#self = self;
  }

  get current(): Promise<undefined> {
    return this.#current.promise;
  }

  get taken(): Promise<TroughError> {
    return this.#taken.promise;
  }

  hear(news: DirectoryNews): void {
    const { log, bus } = this.#deps;
    switch (news.kind) {
      case 'current':
        this.#current.resolve(undefined);
        return;
      case 'cluster':
        this.#belongs(news.document);
        return;
      case 'lease':
        for (const hear of this.leaseHearers) hear(news.lease);
        return;
      case 'rule':
        for (const hear of this.ruleHearers) hear(news.segment);
        return;
      case 'node': {
        const { node, session } = news.document;
        if (this.announced && node === this.#self.node && session !== this.#self.session)
          this.#taken.resolve(nameTaken(node));
        return;
      }
      case 'node-state':
        log.info({ about: news.node, from: news.from, to: news.to }, 'a node changed its state');
        sayJson(bus, this.#subjects.event(news.kind), news);
        return;
      case 'unreadable':
        log.error({ err: news.error }, 'a document of the cluster cannot be read');
        return;
      default:
        unreachable(news);
    }
  }

  #belongs(document: ClusterDocument | undefined): void {
    void this.identity?.seen(document).catch((error: unknown) => {
      const err = TroughError.from(error);
      if (err.code === 'METADATA_LOST') this.#taken.resolve(err);
      else this.#deps.log.error({ err }, 'this node could not note which cluster its data is of');
    });
  }
}

function followDocuments({ supervisor, store, bus, subjects, log }: NodeContext, directory: Directory): void {
  const actor = supervisor.spawn<DirectoryMessage>(() => directory, { mailboxLimit: MAILBOX });
  const watching = new AbortController();
  store.watch('', (event) => actor.send({ kind: 'metadata', event }), watching.signal);
  const beats = hearJson(bus, subjects.anyBeat, Beat, log, (beat) => actor.send({ kind: 'beat', beat }));
  supervisor.adopt('document watch', () => {
    beats.unsubscribe();
    watching.abort();
  });
  supervisor.every(TICK_MS, actor, () => ({ kind: 'tick', connected: bus.status === 'connected' }));
}

/** Beats from before the node's document is there count for nobody. */
function beatAndListen(
  { supervisor, bus, subjects, self, log }: NodeContext,
  heartbeat: Heartbeat,
): ActorRef<HeartbeatMessage> {
  const actor = supervisor.spawn<HeartbeatMessage>(() => heartbeat);
  const rolls = hearJson(bus, subjects.roll, Roll, log, (roll) => actor.send({ kind: 'roll', roll }));
  const ping = answerJson(bus, { subject: subjects.node(self.node, 'ping') }, z.object({}), () =>
    Promise.resolve(self),
  );
  supervisor.adopt('heartbeat subscriptions', () => {
    rolls.unsubscribe();
    ping.unsubscribe();
  });
  supervisor.every(BEAT_MS, actor, () => ({ kind: 'tick' }));
  return actor;
}

function vitals(
  { queries, host, settings: { hotReads } }: MembershipDeps,
  { inventory, copier, writer, lost }: LocalParts,
): Vitals {
  return {
    load: host.load() / host.cores,
    storedBytes: inventory?.storedBytes ?? 0,
    copies: inventory?.count ?? 0,
    pending: copier?.pending ?? 0,
    pendingBytes: copier?.pendingBytes ?? 0,
    fetched: copier?.fetched ?? null,
    leases: writer?.openCount ?? 0,
    damaged: copier?.repairs.pending ?? 0,
    unfetchable: unfetchable(copier),
    read: hotReads === 0 ? [] : queries.rates.most().filter(({ perSecond }) => perSecond >= hotReads * TOLD_SHARE),
    written: (writer?.rates.most() ?? []).map(({ segment }) => segment),
    lostFiles: lost?.count ?? 0,
    leaving: writer?.isLeaving ?? false,
    complete: copier?.complete ?? null,
  };
}

function unfetchable(copier: LocalParts['copier']): Vitals['unfetchable'] {
  const one = copier?.unfetchableOne;
  return copier === undefined || one === undefined ? null : { copies: copier.unfetchable, ...one };
}

function showGauges({ metrics, parts, view }: NodeContext): void {
  metrics.gauge('trough_copies', 'Verified copies on this node.', () => parts.inventory?.count ?? 0);
  metrics.gauge('trough_copies_pending', 'Copies that this node still has to fetch.', () => parts.copier?.pending ?? 0);
  metrics.gauge(
    'trough_copies_unfetchable',
    'Copies that cannot be fetched because their file in cold storage is bad.',
    () => parts.copier?.unfetchable ?? 0,
  );
  metrics.gauge('trough_stored_bytes', 'Bytes of the copies on this node.', () => parts.inventory?.storedBytes ?? 0);
  metrics.gauge(
    'trough_leases',
    'Segments that are open for writing on this node.',
    () => parts.writer?.openCount ?? 0,
  );
  metrics.gauge(
    'trough_nodes_alive',
    'Nodes that this one hears.',
    () => view.nodes().filter(({ state }) => state === 'alive').length,
  );
}

async function announce(context: NodeContext, urls: Urls, news: News): Promise<void> {
  const { store, supervisor, settings, self, clock, log } = context;
  const document: NodeDocument = {
    ...self,
    zone: settings.zone,
    roles: [...settings.roles],
    urls,
    quotaBytes: settings.quotaBytes ?? (await defaultQuota(context)),
    state: 'up',
    startedMs: clock.now(),
  };
  const key = keys.node(self.node);
  const before = await store.get(key);
  const value = encodeDocument(document);
  const revision =
    before === undefined ? await store.create(key, value) : await store.update(key, value, before.revision);
  news.announced = true;
  supervisor.adopt('node document', async () => {
    try {
      const stopped = encodeDocument({ ...document, state: 'stopped' });
      await withDeadline(clock, GOOD_BYE_MS, (signal) => store.update(key, stopped, revision, signal));
    } catch (error) {
      log.warn({ err: TroughError.from(error) }, 'the cluster could not be told that this node stops');
    }
  });
}

async function defaultQuota({ disk, settings }: NodeContext): Promise<number> {
  const { totalBytes } = await disk.space(settings.data);
  return Math.floor(totalBytes * QUOTA_SHARE);
}

async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new TroughError('STOPPING', 'told to stop while it started'));
    });
  });
  return Promise.race([promise, aborted]);
}
