import { type QueryObserver } from '../actors/queries/query-observer.ts';
import { type Bus } from '../bus/bus.ts';
import { NatsBus } from '../bus/nats-bus.ts';
import { connectNats, type NatsLink } from '../bus/nats-connection.ts';
import { findNatsServer } from '../bus/nats-server-binary.ts';
import { startNatsServer } from '../bus/nats-server.ts';
import { type ColdCare } from '../cold/cold-care.ts';
import { type ColdStore } from '../cold/cold-store.ts';
import { FetchProcess } from '../cold/fetch-process.ts';
import { type ColdSettings, openCold } from '../cold/open-cold.ts';
import { UnhurriedCold } from '../cold/unhurried-cold.ts';
import { type Disk } from '../disk/disk.ts';
import { LocalDisk } from '../disk/local-disk.ts';
import { type Engine } from '../engine/engine.ts';
import { nameMatcher } from '../engine/name-matcher.ts';
import { ProcessEngine } from '../engine/pool.ts';
import { TroughError } from '../errors.ts';
import { JetStreamJournal } from '../journal/jetstream/jetstream-journal.ts';
import { type Journal } from '../journal/journal.ts';
import { type Log } from '../log.ts';
import { type MetadataStore } from '../metadata/metadata-store.ts';
import { NatsKv } from '../metadata/nats-kv.ts';
import { dataPaths } from '../model/paths.ts';
import { type Clock } from '../runtime/clock.ts';
import { type Supervisor } from '../runtime/supervisor.ts';
import { type Host } from '../settings/host.ts';
import { type Settings } from '../settings/schema.ts';

const COLD_PROBE_MS = 5_000;
/** A start takes a tenth of a second of a processor, and a process that waits 50 MB. */
const FETCHES_IDLE_MS = 60_000;
const MISPLACED: ReadonlySet<string> = new Set(['ENOTDIR', 'EACCES', 'EPERM', 'EROFS']);

export interface Ports {
  readonly bus: Bus;
  readonly store: MetadataStore;
  /** Absent: what is written is on the node's own disk alone until it is promoted. */
  readonly journal?: Journal;
  readonly cold: ColdStore;
  /** The same storage, for the copies that are kept here: its fetches give way to everything else. Absent: `cold` is as good. */
  readonly coldForCopies?: ColdStore;
  /** The same storage, for those who look after it. Absent: it offers no way to be looked through. */
  readonly care?: ColdCare;
  readonly engine: Engine;
  readonly disk: Disk;
  /** Finds names by a regular expression in Python's syntax. REQUEST_INVALID. */
  readonly pattern: (text: string) => (names: readonly string[]) => ReadonlySet<string>;
  /** Where clients reach NATS. */
  readonly natsUrl: string;
}

export interface PortsDeps {
  readonly settings: Settings;
  readonly host: Host;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  readonly supervisor: Supervisor;
  readonly queries: QueryObserver;
  /** Ends the wait for servers that cannot be reached. */
  readonly signal: AbortSignal;
}

/** The drivers that the settings ask for; the only place that knows them. Each is in the stop order when it is open. */
export async function openPorts(deps: PortsDeps): Promise<Ports> {
  const { settings, host, log, supervisor, signal } = deps;
  const servers = settings.nats.length > 0 ? settings.nats : [await startOwnNats(deps)];
  const link = await connectNats({ servers, name: `trough ${settings.node}`, log, signal });
  supervisor.adopt('NATS connection', () => link[Symbol.asyncDispose]());
  const store = await NatsKv.open({
    connection: link.connection,
    bucket: settings.subjectPrefix,
    log,
    ...(settings.natsReplicas === undefined ? {} : { replicas: settings.natsReplicas }),
    signal,
  });
  supervisor.adopt('metadata store', () => store[Symbol.asyncDispose]());
  const journal = await openJournal(deps, link);
  const bus = new NatsBus(link, { log, service: { name: settings.subjectPrefix, version: host.version } });
  supervisor.adopt('bus', () => bus[Symbol.asyncDispose]());
  const cold = await openColdStore(deps);
  await probeCold(cold, log, signal);
  const engine = openEngine(deps);
  supervisor.adopt('engine', () => engine[Symbol.asyncDispose]());
  const disk = new LocalDisk((file) => {
    engine.forget(file);
  });
  return {
    bus,
    store,
    ...(journal === undefined ? {} : { journal }),
    cold,
    coldForCopies: openColdForCopies(deps, cold),
    care: cold,
    engine,
    disk,
    pattern: nameMatcher,
    natsUrl: servers.join(','),
  };
}

function openEngine({ settings, host, log, queries }: PortsDeps): ProcessEngine {
  return new ProcessEngine({
    nodePath: host.nodePath,
    log,
    ...(settings.engineChildren === 0 ? {} : { queryChildren: settings.engineChildren }),
    startChildren: 1,
    openFiles: settings.openFiles,
    memoryBytes: settings.engineMemoryBytes,
    temporaryBytes: settings.engineTempBytes,
    scratch: dataPaths(settings.data).scratchDir,
    valueBytes: settings.valueLimitBytes,
    answerRows: settings.answerRowLimit,
    answerBytes: settings.answerSizeLimitBytes,
    slowChildren: settings.engineSlowChildren,
    mostQueued: settings.maxConcurrentQueries,
    mostQueuedOfSegment: settings.maxSegmentQueries,
    mostRunningOfSegment: settings.maxSegmentRunning,
    mostSlowQueued: settings.maxSlowQueries,
    mostStreams: settings.maxStreams,
    graceMs: settings.stopGraceMs / 10,
    onQuery: queries.add,
  });
}

async function openJournal(deps: PortsDeps, { connection }: NatsLink): Promise<Journal | undefined> {
  const { settings, log, clock, random, supervisor, signal } = deps;
  if (settings.journal === 'none') {
    log.info("writes are kept on this node's disk alone until they are promoted (--journal none)");
    return undefined;
  }
  const journal = await JetStreamJournal.open({
    ...{ connection, log, clock, random, signal, prefix: settings.subjectPrefix, streams: settings.journalStreams },
    ...{ limitBytes: settings.journalSizeBytes, replicas: settings.natsReplicas },
    isOwnServer: settings.nats.length === 0,
  });
  supervisor.adopt('journal', () => journal[Symbol.asyncDispose]());
  return journal;
}

function coldSettings({ settings }: PortsDeps): ColdSettings {
  const { cold: place, coldApiPath: apiPath, coldReplicas: replicas } = settings;
  const { coldAuthorizationFile: authorizationFile, coldCaFile: caFile } = settings;
  return { place, apiPath, replicas, authorizationFile, caFile };
}

async function openColdStore(deps: PortsDeps): Promise<ColdStore & ColdCare> {
  const cold = await openCold(coldSettings(deps), deps);
  deps.supervisor.adopt('cold storage', () => {
    cold[Symbol.dispose]?.();
    return Promise.resolve();
  });
  return cold;
}

/** Copies are fetched in a process of their own, so that no query waits for that. */
function openColdForCopies(deps: PortsDeps, cold: ColdStore): ColdStore {
  const { settings, host, log, supervisor } = deps;
  const given = { cold: coldSettings(deps), logLevel: settings.logLevel, logFields: { node: settings.node } };
  const fetches = new FetchProcess({ nodePath: host.nodePath, given, idleMs: FETCHES_IDLE_MS }, log);
  supervisor.adopt('process that fetches copies', () => fetches[Symbol.asyncDispose]());
  return new UnhurriedCold(cold, fetches);
}

/** A cold storage that is away must not keep a node from starting: its copies and its unpublished writes are here. */
async function probeCold(cold: ColdStore, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await cold.probe(AbortSignal.any([signal, AbortSignal.timeout(COLD_PROBE_MS)]));
  } catch (error) {
    const err = TroughError.from(error);
    const reason = (err.cause as NodeJS.ErrnoException | undefined)?.code;
    // A path that can never be a directory of ours is a setting gone wrong, not a storage that is away.
    if (reason !== undefined && MISPLACED.has(reason)) throw err;
    log.error(
      { err, cold: cold.description },
      'cold storage cannot be used now: nothing is promoted or fetched until it can',
    );
  }
}

/** Started first, stopped last. */
async function startOwnNats({ settings, host, log, clock, random, supervisor }: PortsDeps): Promise<string> {
  const binary = await findNatsServer({
    env: host.env,
    say: (line) => {
      log.info(line);
    },
  });
  const server = await startNatsServer({
    binary: binary.path,
    dataDir: settings.data,
    port: settings.natsPort,
    clock,
    log,
    random,
  });
  supervisor.adopt('nats-server', () => server[Symbol.asyncDispose]());
  return server.url;
}
