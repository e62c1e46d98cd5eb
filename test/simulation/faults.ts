import { decodeDocument, LeaderDocument } from '../../src/messages/documents.ts';
import { keys } from '../../src/messages/keys.ts';
import { leasesOf } from './documents.ts';
import { type FaultKind } from './fault-kinds.ts';
import { type Random } from './random.ts';
import { type Control } from '../../src/messages/control.ts';
import { ColdFaults } from './cold-faults.ts';
import { LifeFaults } from './life-faults.ts';
import { RuleFaults } from './rule-faults.ts';
import { CALM } from './sim-network.ts';
import { type SimNode } from './sim-node.ts';
import { type Truths } from './truths.ts';
import { type Workload } from './workload.ts';
import { type World } from './world.ts';
import { WriteFaults } from './write-faults.ts';

type Inject = (node: SimNode) => boolean;

const SHORT = { least: 200, most: 8_000 };

/** Lets things go wrong, each kind at its own rate, and undoes it again after a while. */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  readonly life: LifeFaults;
  readonly #world: World;
  readonly #truths: Truths;
  readonly #random: Random;
  readonly #kinds: Readonly<Record<FaultKind, Inject>>;
  /** What undoes the faults that are in effect. */
  readonly #heal = new Set<() => void>();
  #isOver = false;

  constructor(world: World, truths: Truths, control: Control, workload: Workload, random: Random) {
    this.#world = world;
    this.#truths = truths;
    this.#random = random;
    const undoneAfter = (ms: number, undo: () => void): true => this.#for(ms, undo);
    const life = (this.life = new LifeFaults({
      world,
      control,
      random: random.fork(),
      undoneAfter,
      isOver: () => this.#isOver,
    }));
    this.#kinds = {
      ...{ ...this.#ofProcesses(), ...this.#ofNetwork(), ...this.#ofStores(), ...this.#ofDisks() },
      ...life.kinds,
      ...new WriteFaults({ world, random: random.fork(), undoneAfter, isOver: () => this.#isOver }).kinds,
      ...new ColdFaults({ world, random: random.fork(), undoneAfter }).kinds,
      ...new RuleFaults({ world, truths, workload, control, random: random.fork(), undoneAfter }).kinds,
    };
    for (const [kind, everyMs] of world.plan.faultEveryMs) this.#arm(kind, everyMs);
  }

  /** No more faults, and all is well again but for the nodes that `stays` names. */
  end(stays: (node: SimNode) => boolean): void {
    this.#isOver = true;
    for (const heal of [...this.#heal]) heal();
    this.#world.network.weather = CALM;
    for (const node of this.#world.nodes) {
      node.wake(false);
      if (!stays(node)) node.start();
      else node.kill();
    }
  }

  #arm(kind: FaultKind, everyMs: number): void {
    // Exponentially distributed, so that two of a kind may come together.
    const delayMs = -Math.log(1 - this.#random.next()) * everyMs;
    this.#world.timeline.after(delayMs, () => {
      if (this.#isOver) return;
      this.#arm(kind, everyMs);
      const node = this.#random.pick(this.#world.nodes);
      if (node === undefined || !this.#kinds[kind](node)) return;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.#world.runLog.say('fault', kind, { node: node.name });
    });
  }

  /** Undone after `ms`, or when the faults end. */
  #for(ms: number, undo: () => void): true {
    const heal = (): void => {
      if (!this.#heal.delete(heal)) return;
      this.#world.runLog.say('fault', 'is over');
      undo();
    };
    this.#heal.add(heal);
    this.#world.timeline.after(ms, heal);
    return true;
  }

  #shortMs(): number {
    return this.#random.scale(SHORT.least, SHORT.most);
  }

  #ofProcesses() {
    const long = (): number => this.#world.plan.rebuildAfterMs * this.#random.between(0.5, 2.5);
    const start = (node: SimNode) => (): void => {
      node.start();
    };
    return {
      kill: (node) => {
        node.kill();
        return this.#for(this.#shortMs(), start(node));
      },
      'long outage': (node) => {
        node.kill();
        return this.#for(long(), start(node));
      },
      'clean stop': (node) => {
        node.stop();
        return this.#for(this.#random.chance(0.7) ? this.#shortMs() : long(), start(node));
      },
      pause: (node) => this.#pause(node, false),
      suspend: (node) => this.#pause(node, true),
      'engine child dies': (node) => node.engine?.crashChild() === true,
      'clock jump': (node) => {
        node.skewMs += this.#random.between(-30_000, 30_000);
        return true;
      },
    } satisfies Partial<Record<FaultKind, Inject>>;
  }

  #pause(node: SimNode, isMachine: boolean): boolean {
    if (!node.isRunning) return false;
    node.pause();
    const ms = this.#random.scale(500, this.#random.chance(0.3) ? 3 * this.#world.plan.rebuildAfterMs : 20_000);
    return this.#for(ms, () => {
      node.wake(isMachine);
    });
  }

  #ofNetwork() {
    const { network } = this.#world;
    const cut = (node: SimNode, up: boolean, down: boolean): boolean => {
      if (!network.isWhole(node.name)) return false;
      network.cut(node.name, { up, down });
      const ms = this.#random.scale(500, this.#random.chance(0.3) ? 2 * this.#world.plan.rebuildAfterMs : 20_000);
      return this.#for(ms, () => {
        network.cut(node.name, undefined);
      });
    };
    return {
      'cut off': (node) => cut(node, true, true),
      'cut off from the server, one way': (node) => cut(node, false, true),
      'cut off to the server, one way': (node) => cut(node, true, false),
      'cut between two nodes, one way': (node) => {
        const other = this.#random.pick(this.#world.nodes);
        if (other === undefined || other === node || this.#world.unheard.has(node.name)) return false;
        network.cutPair(node.name, other.name, true);
        this.#world.unheard.add(node.name);
        return this.#for(this.#random.scale(500, 40_000), () => {
          network.cutPair(node.name, other.name, false);
          this.#world.unheard.delete(node.name);
        });
      },
      'network storm': () => {
        if (network.weather !== CALM) return false;
        const share = (most: number): number => (this.#random.chance(0.5) ? 0 : this.#random.scale(most / 50, most));
        network.weather = {
          delayMs: this.#random.scale(1, 100),
          slow: share(0.1),
          loss: share(0.15),
          duplication: share(0.2),
          reordering: share(0.5),
        };
        return this.#for(this.#random.between(5_000, 60_000), () => {
          network.weather = CALM;
        });
      },
      'leader cut off': () => {
        const leader = this.#world.node(leaderOf(this.#world) ?? '');
        return leader !== undefined && cut(leader, true, true);
      },
      'server restart': () => {
        const all = this.#world.nodes.filter(({ name }) => network.isWhole(name));
        for (const { name } of all) network.cut(name, { up: true, down: true });
        return this.#for(this.#random.scale(500, 20_000), () => {
          for (const { name } of all) network.cut(name, undefined);
        });
      },
    } satisfies Partial<Record<FaultKind, Inject>>;
  }

  #ofStores() {
    const { metadata, cold } = this.#world;
    return {
      'metadata outage': () => {
        metadata.setUp(false);
        return this.#for(this.#random.scale(500, 30_000), () => {
          metadata.setUp(true);
        });
      },
      'metadata slow': () => {
        // Those who ask may be answered quickly while those who watch are far behind.
        metadata.latencyMs = this.#random.chance(0.5) ? 1 : this.#random.scale(20, 800);
        metadata.watchLagMs = this.#random.scale(20, 5_000);
        return this.#for(this.#random.between(2_000, 30_000), () => {
          metadata.latencyMs = 1;
          metadata.watchLagMs = 1;
        });
      },
      'cold storage outage': () => {
        if (!cold.isUp) return false;
        cold.isUp = false;
        return this.#for(this.#random.scale(1_000, 40_000), () => {
          cold.isUp = true;
        });
      },
      'cold storage errors': () => {
        const share = (): number => this.#random.scale(0.02, 0.5);
        cold.weather = { delayMs: this.#random.scale(5, 2_000), failures: share(), torn: share() };
        return this.#for(this.#random.between(5_000, 40_000), () => {
          cold.weather = { failures: 0, torn: 0, delayMs: 5 };
        });
      },
    } satisfies Partial<Record<FaultKind, Inject>>;
  }

  #flip(node: SimNode, isSilent: boolean): boolean {
    const path = this.#random.pick(copiesOf(node));
    const file = path === undefined ? undefined : node.disk.files.get(path);
    if (path === undefined || file === undefined) return false;
    node.disk.files.set(path, { ...file, isDamaged: true, isSilent });
    this.#truths.lose(node.name, segmentOf(path));
    return true;
  }

  #ofDisks() {
    const calm = { delayMs: 1, failures: 0 };
    return {
      'disk errors': ({ disk }) => {
        disk.weather = { ...disk.weather, failures: this.#random.scale(0.01, 0.4) };
        return this.#for(this.#random.between(2_000, 30_000), () => {
          disk.weather = calm;
        });
      },
      'disk slow': ({ disk }) => {
        disk.weather = { ...disk.weather, delayMs: this.#random.scale(20, 2_000) };
        return this.#for(this.#random.between(2_000, 30_000), () => {
          disk.weather = calm;
        });
      },
      'disk full': ({ disk }) => {
        disk.isFull = true;
        return this.#for(this.#random.between(2_000, 40_000), () => {
          disk.isFull = false;
        });
      },
      'bit flip': (node) => this.#flip(node, false),
      'silent bit flip': (node) => this.#flip(node, true),
      'stray file': ({ name, disk }) => {
        const id = this.#random.pick(['z1', 'z2', 's1', 's2', 'f1', 'f2', 'x1', 'y1']) ?? 'z1';
        const path = this.#truths.copyPath(name, id);
        if (disk.files.has(path)) return false;
        disk.files.set(path, { content: `stray-${String(this.#random.integer(1, 9))}\n`, isDamaged: false });
        return true;
      },
      'disk replaced': (node) => {
        // Writes that are nowhere else would be lost: nothing in the world could bring them back.
        if (this.#world.journal === undefined && leasesOf(this.#world, node.name) > 0) return false;
        node.kill();
        for (const path of copiesOf(node)) this.#truths.lose(node.name, segmentOf(path));
        node.disk.wipe();
        return this.#for(this.#shortMs(), () => {
          node.start();
        });
      },
      'catalogue lost': (node) => {
        if (!node.roles.includes('sync-master')) return false;
        node.kill();
        const path = `/${node.name}/catalogue.sqlite`;
        node.disk.databases.get(path)?.database.close();
        node.disk.databases.delete(path);
        return this.#for(this.#shortMs(), () => {
          node.start();
        });
      },
    } satisfies Partial<Record<FaultKind, Inject>>;
  }
}

function leaderOf({ metadata }: World): string | undefined {
  const entry = metadata.entry(keys.leader);
  return entry === undefined ? undefined : decodeDocument(LeaderDocument, keys.leader, entry.value).node;
}

function copiesOf({ name, disk }: SimNode): string[] {
  return [...disk.files.keys()].filter((path) => path.startsWith(`/${name}/segments/`));
}

function segmentOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.sqlite'.length);
}
