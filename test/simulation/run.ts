import { leasesOf } from './documents.ts';
import { Chains } from './chains.ts';
import { Checks } from './checks.ts';
import { Client } from './client.ts';
import { Ending } from './ending.ts';
import { Faults } from './faults.ts';
import { type NameChecks } from './name-checks.ts';
import { Random } from './random.ts';
import { drawPlan } from './run-plan.ts';
import { type SimNode } from './sim-node.ts';
import { Truths } from './truths.ts';
import { VanishedChecks } from './vanished-checks.ts';
import { Workload } from './workload.ts';
import { World } from './world.ts';

export interface RunResult {
  readonly seed: number;
  /** What should never have happened; undefined when nothing did. */
  readonly violation: string | undefined;
  readonly faults: ReadonlyMap<string, number>;
  readonly requests: ReadonlyMap<string, number>;
  readonly simulatedMs: number;
  readonly events: number;
  readonly hash: string;
  readonly lines: readonly string[];
}

const EVICT_MS = 60_000;
const REPEAT_MS = 30_000;
/** A segment that was read very much loses its copies by halves, a minute apart. */
const COOLING_MS = 240_000;
/** The settings have rules for three copies. */
const MOST_RANKS = 3;

/** One run from one seed, the same each time. */
export async function run(seed: number): Promise<RunResult> {
  const random = new Random(seed);
  const plan = drawPlan(random.fork());
  const world = await World.make(plan, random.fork());
  try {
    const truths = new Truths(world);
    const checks = new Checks(world, truths);
    const client = new Client(world.timeline, world.network, world.runLog, random.fork());
    const chains = world.journal === undefined ? undefined : new Chains(world, truths, world.journal);
    const workload = new Workload(world, truths, client, random.fork(), chains);
    const faults = new Faults(world, truths, client.control, workload, random.fork());
    await world.timeline.runUntil(plan.faultsMs, () => world.violation !== undefined);
    workload.end();
    endFaults(world, faults, random.fork());
    await new Quiet(
      world,
      checks,
      workload,
      new Ending(world, truths, workload, chains, new VanishedChecks(world, truths, checks.catalogues)),
    ).run();
    return {
      seed,
      violation: world.violation,
      faults: new Map<string, number>([...faults.counts, ...ambient(world, checks.views.names)]),
      requests: workload.counts,
      simulatedMs: world.now,
      events: world.timeline.count,
      hash: world.runLog.hash,
      lines: world.runLog.lines,
    };
  } finally {
    world.close();
  }
}

/** One node may never come back, where nothing is lost with it and another can lead. */
function endFaults(world: World, faults: Faults, random: Random): void {
  const masters = world.nodes.filter(({ roles }) => roles.includes('sync-master'));
  const candidate = random.chance(0.3) ? random.pick(world.nodes) : undefined;
  const isSpared =
    candidate !== undefined &&
    (leasesOf(world, candidate.name) === 0 || hasOtherWriter(world, candidate)) &&
    masters.some((node) => node !== candidate);
  const stays = isSpared ? candidate : undefined;
  world.runLog.say('world', 'the faults are over', { stays: stays?.name });
  faults.end((node) => node === stays);
  const last = random.chance(0.3) ? random.pick(world.nodes.filter((node) => node !== stays)) : undefined;
  const keepers = world.nodes.filter((node) => node !== stays && node !== last && node.roles.includes('sync-local'));
  // Else it would have to stay: a segment has so many copies.
  if (last !== undefined && keepers.length >= Math.max(MOST_RANKS, world.plan.copies)) {
    world.runLog.say('world', 'is drained to the end', { node: last.name });
    faults.life.drainForGood(last);
  }
}

/** Another goes on with what it has in the journal. */
function hasOtherWriter({ journal, nodes }: World, candidate: SimNode): boolean {
  return journal !== undefined && nodes.some((node) => node !== candidate && node.roles.includes('writer'));
}

/** What happens without a fault of its own being injected. */
function ambient(world: World, { together }: NameChecks): [string, number][] {
  const { lost, duplicated, reordered, slow } = world.network.counts;
  const torn = world.nodes.reduce((sum, { disk }) => sum + disk.counts.tornAtCrash, 0);
  return [
    ['two up under one name', together],
    ['message lost', lost],
    ['message duplicated', duplicated],
    ['message reordered', reordered],
    ['message slow', slow],
    ['operation torn by a crash', torn],
    ['write lost with the power', world.nodes.reduce((sum, { disk }) => sum + disk.counts.lostAtPowerLoss, 0)],
    ['journal message late', world.journal?.counts.slow ?? 0],
    ['journal request lost', world.journal?.counts.lostThere ?? 0],
    ['journal answer lost', world.journal?.counts.lostBack ?? 0],
    ['disk operation failed', world.nodes.reduce((sum, { disk }) => sum + disk.counts.failed, 0)],
    ['cold storage call failed', world.cold.counts.failed],
    ['fetch torn', world.cold.counts.torn],
  ];
}

/** The time after the faults: everything is right again within a bound, and stays so. */
class Quiet {
  readonly #world: World;
  readonly #checks: Checks;
  readonly #workload: Workload;
  readonly #ending: Ending;

  constructor(world: World, checks: Checks, workload: Workload, ending: Ending) {
    this.#world = world;
    this.#checks = checks;
    this.#workload = workload;
    this.#ending = ending;
  }

  async run(): Promise<void> {
    const { plan } = this.#world;
    await this.#pass(30_000);
    await this.#through(this.#ending.readAll(false));
    const boundMs =
      2 * plan.rebuildAfterMs + EVICT_MS + 2 * REPEAT_MS + 3 * plan.coldScanIntervalMs + 150_000 + COOLING_MS;
    const until = this.#world.now + boundMs;
    let problems = this.#ending.problems();
    while (problems.length > 0 && this.#world.now < until && this.#isGood()) {
      await this.#through(this.#workload.tidyUp());
      await this.#pass(5_000);
      problems = this.#ending.problems();
    }
    if (problems.length > 0) this.#world.fail(`not right again in time: ${problems.slice(0, 5).join('; ')}`);
    if (!this.#isGood()) return;
    const placements = this.#checks.placements.history.length;
    const rules = this.#checks.rules.count;
    await this.#through(this.#ending.readAll(true));
    await this.#pass(20_000);
    if (this.#checks.placements.history.length > placements)
      this.#world.fail('the placement changes though nothing does');
    if (this.#checks.rules.count > rules) this.#world.fail('rules of segments change though nobody asks for it');
    this.#checkBytes();
  }

  /** No bytes move twice but for faults. */
  #checkBytes(): void {
    const { neededBytes, wastedBytes } = this.#checks.copies;
    this.#world.runLog.say('world', 'bytes of copies', { neededBytes, wastedBytes });
    if (wastedBytes > neededBytes / 2 + 500) {
      this.#world.fail(
        `${String(wastedBytes)} bytes were fetched again, beside ${String(neededBytes)} that were needed`,
      );
    }
  }

  #isGood(): boolean {
    return this.#world.violation === undefined;
  }

  #pass(ms: number): Promise<void> {
    return this.#world.timeline.runUntil(this.#world.now + ms, () => !this.#isGood());
  }

  /** Lets time pass until the work is done. */
  async #through(work: Promise<void>): Promise<void> {
    const state = { isDone: false };
    void work.finally(() => {
      state.isDone = true;
    });
    await this.#world.timeline.runUntil(this.#world.now + 600_000, () => state.isDone || !this.#isGood());
    if (!state.isDone && this.#isGood()) this.#world.fail('requests at rest are not answered');
  }
}
