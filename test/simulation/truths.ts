import { dataPaths } from '../../src/model/paths.ts';
import { RuleTruth } from './rule-truth.ts';
import { SegmentTruth } from './truth.ts';
import { type World } from './world.ts';

/** What those who stand outside know: what clients were told, and what faults destroyed. */
export class Truths {
  readonly segments = new Map<string, SegmentTruth>();
  readonly rules: RuleTruth;
  readonly #world: World;
  readonly #lost = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.rules = new RuleTruth(() => world.now);
  }

  of(id: string): SegmentTruth {
    const known = this.segments.get(id) ?? new SegmentTruth(id);
    this.segments.set(id, known);
    return known;
  }

  copyPath(node: string, id: string): string {
    return dataPaths(`/${node}`).copy(id);
  }

  /** A copy was destroyed by a fault, or taken away because it was damaged. */
  lose(node: string, id: string): void {
    this.#lost.set(`${node} ${id}`, this.#world.now);
  }

  /** When that last happened. */
  lostAt(node: string, id: string): number {
    return this.#lost.get(`${node} ${id}`) ?? -Infinity;
  }
}
