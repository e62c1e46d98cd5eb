import { type FollowEvent } from './kv-follow.ts';
import { type WatchEvent } from './metadata-store.ts';

/** Turns what is read from the stream into what a watcher hears, so that its folded state is the store's even when the stream was replaced. */
export class WatchFold {
  readonly #tell: (event: WatchEvent) => void;
  readonly #known = new Set<string>();
  /** While everything comes again: the keys that have come. */
  #fresh: Set<string> | undefined;
  #isCurrent = false;

  constructor(tell: (event: WatchEvent) => void) {
    this.#tell = tell;
  }

  readonly apply = (event: FollowEvent): void => {
    if (event.kind === 'restart') this.#fresh = new Set();
    else if (event.kind === 'complete') this.#complete(event.revision);
    else if (event.deleted) this.#remove(event.key, event.revision);
    else this.#put(event.key, event.value, event.revision);
  };

  #put(key: string, value: Uint8Array, revision: number): void {
    this.#known.add(key);
    this.#fresh?.add(key);
    this.#tell({ kind: 'put', key, value, revision });
  }

  /** A key that was made and deleted while nobody looked is not worth a word. */
  #remove(key: string, revision: number): void {
    this.#fresh?.delete(key);
    if (this.#known.delete(key)) this.#tell({ kind: 'delete', key, revision });
  }

  #complete(revision: number): void {
    const fresh = this.#fresh;
    if (fresh !== undefined) {
      for (const key of [...this.#known]) if (!fresh.has(key)) this.#remove(key, revision);
      this.#fresh = undefined;
    }
    if (!this.#isCurrent) this.#tell({ kind: 'current', revision });
    this.#isCurrent = true;
  }
}
