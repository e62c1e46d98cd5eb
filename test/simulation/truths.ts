import { dataPaths } from '../../src/model/paths.ts';
import { SegmentTruth } from './truth.ts';
import { type World } from './world.ts';

/** What those who stand outside know: what clients were told, what lies in cold storage since when, and what faults destroyed. */
export class Truths {
  readonly segments = new Map<string, SegmentTruth>();
  /** Since when cold storage has had the content that it has now. */
  readonly publishedSince = new Map<string, number>();
  readonly #world: World;
  readonly #lost = new Map<string, number>();
  #troubles = 0;
  #troubleEndedAt = 0;

  constructor(world: World) {
    this.#world = world;
    world.cold.onPublished = (id) => {
      this.publishedSince.set(id, world.now);
    };
  }

  /** Something is wrong with cold storage or with disks, so that a file there may not be seen or fetched; the returned function ends it. */
  trouble(): () => void {
    this.#troubles += 1;
    return () => {
      this.#troubles -= 1;
      this.#troubleEndedAt = this.#world.now;
    };
  }

  /** For how long nothing of that kind has been wrong, ms. */
  get untroubledMs(): number {
    return this.#troubles > 0 ? 0 : this.#world.now - this.#troubleEndedAt;
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
