import { type Control } from '../../src/messages/control.ts';
import { keys } from '../../src/messages/keys.ts';
import { type FaultKind } from './fault-kinds.ts';
import { type Random } from './random.ts';
import { CALM } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import { type World } from './world.ts';

export interface LifeFaultsDeps {
  readonly world: World;
  readonly control: Control;
  readonly random: Random;
  /** After so many ms, or when the faults end. */
  readonly undoneAfter: (ms: number, undo: () => void) => true;
  readonly isOver: () => boolean;
}

const LOOK_EVERY_MS = 100;
const AGAIN_MS = 2_000;
/** A request is carried out sooner than that, or not at all. */
const SURELY_MS = 60_000;
/** Who has been well for so long has its name for itself. */
const SETTLED_MS = 15_000;

/** What operators do to a cluster, well or badly. */
export class LifeFaults {
  readonly #deps: LifeFaultsDeps;
  #others = 0;

  constructor(deps: LifeFaultsDeps) {
    this.#deps = deps;
  }

  get kinds() {
    return {
      'rolling restart': () => this.#rollingRestart(),
      drain: (node) => this.#drain(node),
      'name claimed twice': (node) => this.#claim(node),
    } satisfies Partial<Record<FaultKind, (node: SimNode) => boolean>>;
  }

  /** Its copies and leases are to be gone in the end. */
  drainForGood({ name }: SimNode): void {
    const { world } = this.#deps;
    world.drained.set(name, Infinity);
    // A request of before that takes it back may come after the first that asks for it.
    for (const ms of [0, SURELY_MS / 4, SURELY_MS / 2, SURELY_MS]) {
      world.timeline.after(ms, () => {
        this.#keepDrained(name);
      });
    }
  }

  /** Each node in its turn, away for two fifths of the time after which it would be given up: two minutes of five. */
  #rollingRestart(): boolean {
    const { world, undoneAfter, isOver, random } = this.#deps;
    const awayMs = world.plan.rebuildAfterMs * 0.4;
    for (const [index, node] of world.nodes.entries()) {
      world.timeline.after(index * (awayMs + 8_000), () => {
        if (isOver() || node.process === undefined) return;
        node.stop();
        undoneAfter(awayMs * random.between(0.5, 1), () => {
          node.start();
        });
      });
    }
    return true;
  }

  #drain({ name }: SimNode): boolean {
    const { world, undoneAfter, random } = this.#deps;
    if (world.drained.get(name) === Infinity) return false;
    world.drained.set(name, Infinity);
    this.#keepDrained(name);
    return undoneAfter(random.between(5_000, 90_000), () => {
      world.drained.set(name, world.now);
      this.#keepUndrained(name, world.now + SURELY_MS);
    });
  }

  /** Who drains a node looks whether that was taken in. */
  #keepDrained(node: string): void {
    const { world } = this.#deps;
    const isThere = world.metadata.entry(keys.drain(node)) !== undefined;
    if (world.drained.get(node) !== Infinity || isThere) return;
    this.#ask('drain', node, () => {
      this.#keepDrained(node);
    });
  }

  /** A request that was held up may still drain it. */
  #keepUndrained(node: string, until: number): void {
    const { world } = this.#deps;
    const isDrained = world.metadata.entry(keys.drain(node)) !== undefined;
    if (world.drained.get(node) === Infinity || (!isDrained && world.now > until)) return;
    const again = (): void => {
      this.#keepUndrained(node, until);
    };
    if (!isDrained) {
      world.timeline.after(AGAIN_MS, again);
      return;
    }
    world.drained.set(node, world.now);
    this.#ask('undrain', node, again);
  }

  #ask(op: 'drain' | 'undrain', node: string, then: () => void): void {
    const { world, control } = this.#deps;
    const after = (what: string) => () => {
      world.runLog.say('operator', `${op}: ${what}`, { node });
      world.timeline.after(AGAIN_MS, then);
    };
    control.drain({ op, node }).then(after('done'), after('failed'));
  }

  /**
   * Somebody starts another machine under the name of a node, and what looks after processes starts it again and again. While the node is not to be
   * reached it is that node, with an empty disk. Without a journal it is taken away then: writes that are nowhere else would be lost with it.
   */
  #claim(node: SimNode): boolean {
    const { world, random, undoneAfter } = this.#deps;
    const isAlone = [...world.others].every(({ name }) => name !== node.name);
    if (world.journal === undefined ? !world.isWell(node.name) : !isAlone) return false;
    this.#others += 1;
    const disguise = { machine: `other${String(this.#others)}`, mark: `other${String(this.#others)}-` };
    const other = new SimNode(node.settings, world, random.fork(), disguise);
    world.others.add(other);
    other.start();
    this.#watch(node, other);
    if (world.journal !== undefined && random.chance(0.7)) this.#hide(node);
    return undoneAfter(random.between(3_000, 60_000), () => {
      other.kill();
      world.others.delete(other);
    });
  }

  /** The first is alive and nobody hears it for a while: then there are two. */
  #hide(node: SimNode): void {
    const { world, random, undoneAfter } = this.#deps;
    const ms = random.scale(500, 40_000);
    if (random.chance(0.5)) {
      if (!world.network.isWhole(node.name)) return;
      world.network.cut(node.name, { up: true, down: true });
      undoneAfter(ms, () => {
        world.network.cut(node.name, undefined);
      });
    } else if (node.isRunning) {
      node.pause();
      undoneAfter(ms, () => {
        node.wake(random.chance(0.5));
      });
    }
  }

  #watch(node: SimNode, other: SimNode): void {
    const { world } = this.#deps;
    world.timeline.after(LOOK_EVERY_MS, () => {
      if (!world.others.has(other)) return;
      // In a storm all answers of the first to the second may be lost. What ended a moment ago may not have been looked at since.
      const isSettled = world.wellForMs(node.name) > SETTLED_MS && world.network.weather === CALM;
      const goesOn = node.isRunning && !node.isStopping;
      if (other.context !== undefined && isSettled && goesOn)
        world.fail(`another process runs as ${node.name}, which was well all the time`);
      const isReached = node.isRunning && world.network.isWhole(node.name);
      if (isReached || world.journal !== undefined) this.#watch(node, other);
      else other.kill();
    });
  }
}
