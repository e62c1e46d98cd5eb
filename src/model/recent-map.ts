/**
 * Remembers what was asked for most recently: at least `least` of the keys, less than twice as many. In two generations: when the young one is
 * full it becomes the old one, and what was old and not asked for since is forgotten. A key in steady use costs one look-up.
 */
export class RecentMap<K, V> {
  readonly #least: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(least: number) {
    this.#least = least;
  }

  /** Does not count as use. */
  peek(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  use(key: K, make: () => V): V {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const value = this.#old.get(key) ?? make();
    if (this.#young.size >= this.#least) {
      this.#old = this.#young;
      this.#young = new Map();
    } else {
      this.#old.delete(key);
    }
    this.#young.set(key, value);
    return value;
  }
}
