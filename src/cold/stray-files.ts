import { type SegmentId } from '../model/segment-id.ts';

interface Strays {
  /** Sorted, never empty. The first is the one that is served when nothing lies at the canonical path. */
  paths: string[];
  canonical: boolean;
}

/** The segments that lie (also) elsewhere than trough puts them: a few exceptions, or a whole tree of somebody else's layout. */
export class StrayFiles {
  readonly #byId = new Map<SegmentId, Strays>();

  /** How many segments are served from a stray path. */
  get served(): number {
    let served = 0;
    for (const { canonical } of this.#byId.values()) if (!canonical) served += 1;
    return served;
  }

  has(id: SegmentId): boolean {
    return this.#byId.has(id);
  }

  all(id: SegmentId): readonly string[] {
    return this.#byId.get(id)?.paths ?? [];
  }

  /** The path that is served, unless the canonical one is taken. */
  first(id: SegmentId): string | undefined {
    return this.#byId.get(id)?.paths[0];
  }

  isCanonicalTaken(id: SegmentId): boolean {
    return this.#byId.get(id)?.canonical ?? false;
  }

  setCanonicalTaken(id: SegmentId, taken: boolean): void {
    const strays = this.#byId.get(id);
    if (strays !== undefined) strays.canonical = taken;
  }

  add(id: SegmentId, path: string, canonical: boolean): void {
    const strays = this.#byId.get(id);
    if (strays === undefined) {
      this.#byId.set(id, { paths: [path], canonical });
      return;
    }
    strays.canonical = canonical;
    if (!strays.paths.includes(path)) strays.paths = [...strays.paths, path].sort();
  }

  remove(id: SegmentId, path: string): void {
    const strays = this.#byId.get(id);
    if (strays === undefined) return;
    strays.paths = strays.paths.filter((other) => other !== path);
    if (strays.paths.length === 0) this.#byId.delete(id);
  }
}
