import { coldPath } from '../model/cold-path.ts';
import { type SegmentId } from '../model/segment-id.ts';
import { type DirectoryListing } from './directory-listing.ts';
import { type StrayFiles } from './stray-files.ts';
import { type StraySearch } from './stray-search.ts';

/** Where the file of a segment may lie: at its canonical path; else where a listing, or without one a look through the tree, has found it. */
export class Places {
  readonly #listing: DirectoryListing;
  readonly #search: StraySearch;

  constructor(listing: DirectoryListing, search: StraySearch) {
    this.#listing = listing;
    this.#search = search;
  }

  /** What `look` finds first; the paths that it is given are relative to the root. */
  async first<Found>(
    id: SegmentId,
    look: (relative: string) => Promise<Found | undefined>,
  ): Promise<Found | undefined> {
    const canonical = await look(coldPath(id));
    if (canonical !== undefined) return canonical;
    const strays = await this.#strays();
    for (const path of strays.all(id)) {
      const stray = await look(path);
      if (stray !== undefined) return stray;
    }
    return undefined;
  }

  /** A file of the segment lies at this path, relative to the root; `isCanonicalTaken`: another lies where it should. */
  async learn(id: SegmentId, relative: string, isCanonicalTaken: () => Promise<boolean>): Promise<void> {
    if (relative === coldPath(id)) return;
    const strays = await this.#strays();
    strays.add(id, relative, await isCanonicalTaken());
  }

  async #strays(): Promise<StrayFiles> {
    return this.#listing.strays ?? (await this.#search.strays());
  }
}
