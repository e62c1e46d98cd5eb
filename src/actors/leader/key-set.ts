/** A set of row keys up to a largest one: one bit each, so that millions cost little. */
export class KeySet {
  readonly #bits: Uint8Array;

  constructor(largest: number) {
    this.#bits = new Uint8Array((largest >>> 3) + 1);
  }

  /** Keys beyond the largest are left out. */
  add(key: number): void {
    const at = key >>> 3;
    if (at < this.#bits.length) this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (key & 7));
  }

  has(key: number): boolean {
    return ((this.#bits[key >>> 3] ?? 0) & (1 << (key & 7))) !== 0;
  }
}
