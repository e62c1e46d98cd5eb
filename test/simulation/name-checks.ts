import { type SimNode } from './sim-node.ts';
import { type World } from './world.ts';

/** Whoever is no more the one of its name has heard of it after that, while everything answers; ms. */
const HEARD_MS = 3_000;

/** Looks at names that processes of two machines go by: one of them is refused, or steps aside. */
export class NameChecks {
  readonly #world: World;
  /** Since when two of that name have been up, ms of the run. */
  readonly #since = new Map<string, number>();
  /** Looks at which two of a name were up. */
  together = 0;

  constructor(world: World) {
    this.#world = world;
  }

  look(): void {
    const { others, metadata, now } = this.#world;
    for (const name of new Set([...this.#since.keys(), ...Array.from(others, (other) => other.name)])) {
      const up = this.#world.all.filter((one) => one.name === name && this.#isUp(one));
      if (up.length > 1) this.together += 1;
      // What a watch has not brought yet nobody can know.
      if (up.length < 2 || !metadata.isCalm) {
        this.#since.delete(name);
        continue;
      }
      const since = this.#since.get(name) ?? now;
      this.#since.set(name, since);
      if (now - since > HEARD_MS)
        this.#world.fail(`${up.map(({ process }) => process?.name).join(' and ')} both go on under one name`);
    }
  }

  #isUp({ context, isRunning, isStopping, machine }: SimNode): boolean {
    return context !== undefined && isRunning && !isStopping && this.#world.network.isWhole(machine);
  }
}
