/**
 * How many entries a cache should keep: few, unless more would be asked for again. It remembers the keys that were given up, as many as the
 * largest cache would have kept beside the present one; a miss that is found there would have been a hit. (The ghost lists of ARC,
 * Megiddo and Modha 2003, with one list to size in place of two to balance.) It grows at once, and shrinks by halves.
 */
export class AdaptiveSize {
  readonly #least: number;
  readonly #most: number;
  readonly #ghosts = new Set<string>();
  #asked = 0;
  #misses = 0;
  #returns = 0;
  #value: number;

  constructor(limits: { readonly least: number; readonly most: number }) {
    this.#most = limits.most;
    this.#least = Math.min(limits.least, limits.most);
    this.#value = this.#least;
  }

  /** Entries to keep now. */
  get value(): number {
    return this.#value;
  }

  hit(): void {
    this.#count();
  }

  miss(key: string): void {
    this.#misses += 1;
    if (this.#ghosts.delete(key)) this.#returns += 1;
    this.#count();
  }

  evicted(key: string): void {
    this.#ghosts.delete(key);
    this.#ghosts.add(key);
    while (this.#ghosts.size > this.#most - this.#value) {
      const oldest = this.#ghosts.values().next();
      if (oldest.done === true) return;
      this.#ghosts.delete(oldest.value);
    }
  }

  /** Looks back once per so many requests as the largest cache has places: the ghosts then know of as many. */
  #count(): void {
    this.#asked += 1;
    if (this.#asked < this.#most) return;
    if (this.#misses > this.#asked / 10 && this.#returns > this.#misses / 2) {
      this.#value = this.#most;
    } else if (this.#misses > this.#asked / 2) {
      this.#value = Math.max(Math.floor(this.#value / 2), this.#least);
    }
    this.#asked = 0;
    this.#misses = 0;
    this.#returns = 0;
  }
}
