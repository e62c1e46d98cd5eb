import { leaseOf } from './documents.ts';
import { type FaultKind } from './fault-kinds.ts';
import { type Random } from './random.ts';
import { type SimNode } from './sim-node.ts';
import { type World } from './world.ts';

export interface ColdFaultsDeps {
  readonly world: World;
  readonly random: Random;
  /** After so many ms, or when the faults end. */
  readonly undoneAfter: (ms: number, undo: () => void) => true;
}

/** Files that somebody takes away from cold storage behind everybody's back. */
export class ColdFaults {
  readonly #deps: ColdFaultsDeps;

  constructor(deps: ColdFaultsDeps) {
    this.#deps = deps;
  }

  get kinds() {
    return { 'file vanishes': () => this.#vanish() } satisfies Partial<Record<FaultKind, (node: SimNode) => boolean>>;
  }

  /** For good, or until it is put back as it was. What clients write has a lease, and with its file would be lost what nobody else has. */
  #vanish(): boolean {
    const { world, random, undoneAfter } = this.#deps;
    const { cold } = world;
    const id = random.pick([...cold.files.keys()].filter((one) => leaseOf(world, one) === undefined));
    if (id === undefined) return false;
    cold.vanish(id);
    world.runLog.say('cold', 'a file vanishes', { segment: id });
    if (random.chance(0.6)) return true;
    return undoneAfter(random.scale(1_000, 120_000), () => {
      if (cold.comeBack(id)) world.runLog.say('cold', 'a file is back', { segment: id });
    });
  }
}
