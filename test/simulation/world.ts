import { loadSettings } from '../../src/settings/load.ts';
import { compileRules } from '../../src/model/segment-rules.ts';
import { RunLog } from './run-log.ts';
import { type Random } from './random.ts';
import { type NodePlan, type RunPlan } from './run-plan.ts';
import { SimCold } from './sim-cold.ts';
import { SimJournal } from './sim-journal.ts';
import { SimMetadata } from './sim-metadata.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode, type Surroundings } from './sim-node.ts';
import { Timeline } from './timeline.ts';

/** By the first letter of an id: in cold storage only, one copy, three copies; all others as many as the run says. */
const RULES = [
  { match: '^c', tier: 'cold' as const },
  { match: '^x', copies: 1 },
  { match: '^y', copies: 3 },
];
/** A node that is well again counts as well after this: a beat has been heard of it. */
const WELL_AFTER_MS = 6_000;
const LOOK_EVERY_MS = 500;
/** What follows from a drain that was taken back may come so much later. */
const DRAINED_MS = 30_000;

/** Everything there is in one run. */
export class World implements Surroundings {
  readonly plan: RunPlan;
  readonly timeline = new Timeline();
  readonly runLog = new RunLog(() => this.timeline.now);
  readonly network: SimNetwork;
  readonly metadata: SimMetadata;
  readonly cold: SimCold;
  /** Absent in runs whose nodes keep what they write on their own disks. */
  readonly journal: SimJournal | undefined;
  readonly nodes: SimNode[] = [];
  readonly rule = compileRules(RULES, 2);
  /** The first thing that should never have happened. */
  violation: string | undefined;
  readonly #unwellAt = new Map<string, number>();
  readonly #wellAt = new Map<string, number>();
  #bases = 0;
  #claimedUntil = -Infinity;

  private constructor(plan: RunPlan, random: Random) {
    this.plan = plan;
    this.rule = compileRules(RULES, plan.copies);
    this.network = new SimNetwork(this.timeline, random.fork());
    this.metadata = new SimMetadata(this.timeline, random.fork(), this.network);
    this.cold = new SimCold(this.timeline, random.fork());
    const journalRandom = random.fork();
    if (plan.isJournaled) this.journal = new SimJournal(this.timeline, journalRandom, this.network);
  }

  static async make(plan: RunPlan, random: Random): Promise<World> {
    const world = new World(plan, random);
    for (const node of plan.nodes) world.nodes.push(await makeNode(node, world, random.fork()));
    for (const [index, node] of world.nodes.entries()) {
      world.timeline.at(plan.nodes[index]?.startsAt ?? 0, () => {
        node.start();
      });
    }
    world.#look();
    return world;
  }

  get now(): number {
    return this.timeline.now;
  }

  readonly nextBase = (): string => {
    this.#bases += 1;
    return `base-${String(this.#bases)}`;
  };

  node(name: string): SimNode | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  fail(what: string): void {
    this.runLog.say('world', `VIOLATION: ${what}`);
    this.violation ??= `${(this.now / 1000).toFixed(1)} s: ${what}`;
  }

  /** Runs, is connected, and has been so for long enough that everybody may know it. */
  isWell(name: string): boolean {
    return this.wellForMs(name) >= WELL_AFTER_MS;
  }

  /** For how long nothing has been wrong with it, ms; 0 while something is. */
  wellForMs(name: string): number {
    const since = this.#wellAt.get(name);
    return since === undefined ? 0 : this.now - since;
  }

  /** Where a process runs, by its session. */
  machineOf(session: string): string {
    const [, name = '', other] = /^(.*)#(?:(.*)-)?\d+$/.exec(session) ?? [];
    return other ?? name;
  }

  /** For how long it has not been well, ms; 0 while it is. */
  unwellForMs(name: string): number {
    const since = this.#unwellAt.get(name);
    return since === undefined ? 0 : this.now - since;
  }

  /** Called twice a second. */
  onLook: () => void = () => undefined;

  /** A node that others do not hear, though it runs and is connected. */
  readonly unheard = new Set<string>();

  /** Until when each node was to be emptied, ms of the run; Infinity while it is. */
  readonly drained = new Map<string, number>();
  /** Processes on other machines under the names of nodes. */
  readonly others = new Set<SimNode>();

  /** Until when a process of another machine went by the name of a node, ms of the run. */
  get claimedUntil(): number {
    if (this.others.size > 0) this.#claimedUntil = this.now;
    return this.#claimedUntil;
  }

  /** Every machine that a process of the cluster may run on. */
  get all(): readonly SimNode[] {
    return [...this.nodes, ...this.others];
  }

  isDrained(name: string): boolean {
    return (this.drained.get(name) ?? -Infinity) > this.now - DRAINED_MS;
  }

  close(): void {
    for (const node of this.all) {
      node.kill();
      node.disk.close();
    }
  }

  #look(): void {
    if (this.others.size > 0) this.#claimedUntil = this.now;
    for (const { name, isRunning, isStopping, context } of this.nodes) {
      const isSound =
        isRunning && !isStopping && context !== undefined && this.network.isWhole(name) && !this.unheard.has(name);
      if (!isSound) this.#wellAt.delete(name);
      else if (!this.#wellAt.has(name)) this.#wellAt.set(name, this.now);
      if (this.wellForMs(name) >= WELL_AFTER_MS) this.#unwellAt.delete(name);
      else if (!isSound && !this.#unwellAt.has(name)) this.#unwellAt.set(name, this.now);
    }
    this.onLook();
    this.timeline.after(LOOK_EVERY_MS, () => {
      this.#look();
    });
  }
}

async function makeNode(node: NodePlan, world: World, random: Random): Promise<SimNode> {
  const { plan } = world;
  const ms = (value: number): string => `${String(Math.floor(value))}ms`;
  const { settings } = await loadSettings({
    host: { env: {}, hostname: node.name, cores: 1 },
    flags: {
      node: node.name,
      zone: node.zone,
      roles: node.roles,
      data: `/${node.name}`,
      cold: '/cold',
      copies: String(plan.copies),
      rules: JSON.stringify(RULES),
      quotaBytes: `${String(node.quotaBytes)}B`,
      rebuildAfterMs: ms(plan.rebuildAfterMs),
      coldScanIntervalMs: ms(plan.coldScanIntervalMs),
      promoteAfterMs: ms(plan.promoteAfterMs),
      releaseAfterMs: ms(plan.releaseAfterMs),
      scrubPeriodMs: ms(plan.scrubPeriodMs),
      surveyIntervalMs: ms(plan.surveyIntervalMs),
      hotReads: '1',
      hotForMs: ms(plan.hotForMs),
      lostFilesForMs: ms(plan.lostFilesForMs),
    },
  });
  return new SimNode(settings, world, random);
}
