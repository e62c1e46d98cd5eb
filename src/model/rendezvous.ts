import { crc32 } from 'node:zlib';

/**
 * Weighted rendezvous hashing: `-ln(h) / weight` with h uniform in (0, 1) by node and slot; the lowest is first. Depends on the node's own name
 * and weight alone, so that a node that comes or goes disturbs nobody else's order.
 */
export class Rendezvous {
  readonly #seeds: readonly number[];
  readonly #weights: readonly number[];

  constructor(names: readonly string[], weights: readonly number[]) {
    this.#seeds = names.map((name) => crc32(Buffer.from(name, 'utf8')));
    this.#weights = weights;
  }

  /** The cost of a slot on a node; the node is given by its index. */
  cost(node: number, slot: number): number {
    const hash = mix((this.#seeds[node] ?? 0) ^ Math.imul(slot + 1, 0x9e3779b1));
    return -Math.log((hash + 0.5) / 4294967296) / Math.max(this.#weights[node] ?? 0, Number.MIN_VALUE);
  }
}

/** Spreads 32 bits over 32 bits (the finalizer of MurmurHash3, twice, since seeds of similar names are related). */
function mix(value: number): number {
  let x = value | 0;
  for (let round = 0; round < 2; round += 1) {
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    x = (x + 0x7f4a7c15) | 0;
  }
  return x >>> 0;
}
