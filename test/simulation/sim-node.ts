import { QueryObserver } from '../../src/actors/queries/query-observer.ts';
import { WireBus } from '../../src/bus/wire-bus.ts';
import { nameMatcher } from '../../src/engine/name-matcher.ts';
import { TroughError } from '../../src/errors.ts';
import { HttpMetrics } from '../../src/http/metrics.ts';
import { type RoleName } from '../../src/messages/documents.ts';
import { joinCluster, type Membership } from '../../src/roles/membership.ts';
import { type NodeContext } from '../../src/roles/node-context.ts';
import { startEach } from '../../src/roles/start-each.ts';
import { Supervisor } from '../../src/runtime/supervisor.ts';
import { type Host } from '../../src/settings/host.ts';
import { type Settings } from '../../src/settings/schema.ts';
import { type RunLog } from './run-log.ts';
import { type Random } from './random.ts';
import { type SimCold } from './sim-cold.ts';
import { type SimJournal } from './sim-journal.ts';
import { SimMachineDisk } from './sim-disk.ts';
import { SimEngine } from './sim-engine.ts';
import { type SimMetadata } from './sim-metadata.ts';
import { type SimNetwork } from './sim-network.ts';
import { SimProcess } from './sim-process.ts';
import { type Timeline } from './timeline.ts';

export interface Surroundings {
  readonly timeline: Timeline;
  readonly network: SimNetwork;
  readonly metadata: SimMetadata;
  readonly cold: SimCold;
  readonly journal: SimJournal | undefined;
  readonly runLog: RunLog;
  readonly nextBase: () => string;
}

/** A machine of its own whose process goes by the name of another node. */
export interface Disguise {
  readonly machine: string;
  /** What its sessions are told by, after the name of the node. */
  readonly mark: string;
}

const HOST: Host = {
  nodePath: '',
  env: {},
  hostname: 'simulated',
  pid: 1,
  version: '0.0.0',
  cores: 1,
  load: () => 0,
  memoryBytes: 1e9,
};
/** What looks after the process starts it again after this, ms. */
const RESTART_MS = { least: 500, most: 3_000 };
const STOP_MS = 20_000;
const LEAVE_MS = 6_000;

interface Running {
  readonly process: SimProcess;
  readonly supervisor: Supervisor;
  readonly engine: SimEngine;
  readonly giveUp: AbortController;
  context: NodeContext | undefined;
  isUp: boolean;
}

/** A machine, and the process of trough on it: the real roles, with everything around them made up. */
export class SimNode {
  readonly name: string;
  readonly settings: Settings;
  readonly disk: SimMachineDisk;
  readonly #around: Surroundings;
  readonly #disguise: Disguise;
  readonly #random: Random;
  readonly #rate: number;
  skewMs = 0;
  #starts = 0;
  #running: Running | undefined;
  /** Whether it is to be running: a process that ends by itself is then started again. */
  #isWanted = false;
  /** When it was last not healthy: down, paused or cut off, ms of the run. */
  unwellUntil = 0;

  constructor(settings: Settings, around: Surroundings, random: Random, disguise?: Disguise) {
    this.name = settings.node;
    this.#disguise = disguise ?? { machine: settings.node, mark: '' };
    this.settings = settings;
    this.#around = around;
    this.#random = random;
    this.#rate = random.between(0.995, 1.005);
    this.skewMs = random.between(-2_000, 2_000);
    this.disk = new SimMachineDisk(random.fork());
  }

  /** What the names of all its processes begin with. */
  get sessionPrefix(): string {
    return `${this.name}#${this.#disguise.mark}`;
  }

  get machine(): string {
    return this.#disguise.machine;
  }

  get roles(): readonly RoleName[] {
    return this.settings.roles;
  }

  get process(): SimProcess | undefined {
    return this.#running?.process;
  }

  get engine(): SimEngine | undefined {
    return this.#running?.engine;
  }

  /** What its roles share, once they run. */
  get context(): NodeContext | undefined {
    return this.#running?.isUp === true ? this.#running.context : undefined;
  }

  /** It was told to stop, or ends by itself, and says good-bye to everybody while it does. */
  get isStopping(): boolean {
    return this.#running !== undefined && (!this.#isWanted || this.#running.giveUp.signal.aborted);
  }

  get isRunning(): boolean {
    return this.#running?.process.state === 'running';
  }

  start(): void {
    this.#isWanted = true;
    if (this.#running !== undefined) return;
    this.#starts += 1;
    const { timeline, runLog } = this.#around;
    const process = new SimProcess(`${this.sessionPrefix}${String(this.#starts)}`, timeline, {
      rate: this.#rate,
      skewMs: () => this.skewMs,
    });
    const random = this.#random.fork();
    const log = runLog.logOf(process.name);
    const supervisor = new Supervisor({ clock: process, log, random: random.next, graceMs: 4_000 });
    const engine = new SimEngine({ process, disk: this.disk, random, nextBase: this.#around.nextBase });
    const running: Running = {
      process,
      supervisor,
      engine,
      giveUp: new AbortController(),
      context: undefined,
      isUp: false,
    };
    this.#running = running;
    runLog.say(process.name, 'starts');
    void this.#run(running, random).catch((error: unknown) => {
      runLog.say(process.name, 'could not start', { err: TroughError.from(error) });
      void this.#end(running);
    });
  }

  /** As by SIGTERM: everything is given back, in the time that it may take. */
  stop(): void {
    this.#isWanted = false;
    const running = this.#running;
    if (running === undefined) return;
    this.#around.runLog.say(running.process.name, 'is stopped');
    void this.#end(running);
  }

  /** As by SIGKILL: what was in memory is gone at once. */
  kill(): void {
    this.#isWanted = false;
    this.#die();
  }

  /** What was not synced is gone as well. */
  losePower(): void {
    this.kill();
    this.disk.loseUnsynced();
  }

  pause(): void {
    this.#running?.process.pause();
  }

  wake(slept: boolean): void {
    this.#running?.process.wake(slept);
  }

  #die(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#around.runLog.say(running.process.name, 'dies');
    this.#running = undefined;
    running.process.kill();
  }

  async #end(running: Running): Promise<void> {
    running.giveUp.abort();
    const over = (): void => {
      if (this.#running !== running) return;
      this.#die();
      if (!this.#isWanted) return;
      this.#around.timeline.after(this.#random.between(RESTART_MS.least, RESTART_MS.most), () => {
        if (this.#isWanted) this.start();
      });
    };
    running.process.after(STOP_MS, over);
    await running.supervisor.stop();
    over();
  }

  /** As `startRoles` does it, with other ports. */
  async #run(running: Running, random: Random): Promise<void> {
    const { process, supervisor, engine, giveUp } = running;
    const { network, metadata, cold, runLog, journal } = this.#around;
    const log = runLog.logOf(process.name);
    const queries = new QueryObserver({ clock: process, log, slowMs: this.settings.slowQueryMs });
    supervisor.adopt('query observer', () => {
      queries[Symbol.dispose]();
    });
    const wire = network.plug(this.#disguise.machine, process);
    supervisor.adopt('NATS connection', () => {
      network.unplug(wire);
    });
    while (wire.status !== 'connected') await process.call(100, () => undefined);
    const store = metadata.handle(process, this.#disguise.machine);
    supervisor.adopt('metadata store', () => store[Symbol.asyncDispose]());
    const bus = new WireBus(wire, { log, after: process.after });
    supervisor.adopt('bus', () => bus[Symbol.asyncDispose]());
    supervisor.adopt('engine', () => engine[Symbol.asyncDispose]());
    const membership: Membership = await joinCluster({
      settings: this.settings,
      host: HOST,
      log,
      clock: process,
      random: random.next,
      seed: () => seedOf(random),
      supervisor,
      queries,
      session: process.name,
      signal: giveUp.signal,
      bus,
      store,
      cold: cold.port(process, this.#disguise.machine, this.disk),
      ...(journal === undefined ? {} : { journal: journal.port(process, this.#disguise.machine) }),
      engine,
      disk: this.disk.port(process),
      pattern: nameMatcher,
      natsUrl: 'simulated',
      metrics: new HttpMetrics({ ofProcess: false }),
      ports: { serve: (role) => ({ url: `sim://${this.name}/${role}` }) },
    });
    running.context = membership.context;
    const urls = await startEach(membership.context);
    await membership.announce(urls);
    // The first to be stopped: what is open for writing goes to others.
    supervisor.adopt('segments open for writing', () => membership.context.parts.leave(), LEAVE_MS);
    running.isUp = true;
    runLog.say(process.name, 'is up');
    void membership.failed.then((error) => {
      runLog.say(process.name, 'cannot go on', { err: error });
      void this.#end(running);
    });
  }
}

/** 128 bits as the program wants them. */
function seedOf(random: Random): string {
  const word = (): string =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return word() + word() + word() + word();
}
