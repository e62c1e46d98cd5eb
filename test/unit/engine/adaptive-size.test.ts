import { expect, test } from 'vitest';
import { AdaptiveSize } from '../../../src/engine/adaptive-size.ts';

const LIMITS = { least: 50, most: 500 };

test('few places stay few when what is asked for would not fit the most either', () => {
  expect(settled(5_000).size).toBe(50);
});

test('places grow until all that is asked for again and again fits', () => {
  const { size, hits } = settled(400);
  expect(size).toBeGreaterThanOrEqual(400);
  expect(hits).toBe(1);
});

test('places are given up when what is asked for changes to more than would fit', () => {
  const cache = new Cache(new AdaptiveSize(LIMITS));
  cache.ask(400, 20_000);
  expect(cache.size.value).toBe(500);
  cache.ask(50_000, 20_000);
  expect(cache.size.value).toBe(50);
});

test('the most may be less than the usual least', () => {
  expect(new AdaptiveSize({ least: 50, most: 10 }).value).toBe(10);
});

function settled(different: number): { size: number; hits: number } {
  const cache = new Cache(new AdaptiveSize(LIMITS));
  cache.ask(different, 50_000);
  cache.hits = 0;
  cache.ask(different, 1_000);
  return { size: cache.size.value, hits: cache.hits / 1_000 };
}

/** A least recently used cache that is asked for keys at random. */
class Cache {
  readonly size: AdaptiveSize;
  readonly #kept = new Set<string>();
  #random = 1;
  hits = 0;

  constructor(size: AdaptiveSize) {
    this.size = size;
  }

  ask(different: number, times: number): void {
    for (let time = 0; time < times; time += 1) this.#ask(String(this.#next() % different));
  }

  #ask(key: string): void {
    if (this.#kept.delete(key)) {
      this.hits += 1;
      this.size.hit();
    } else {
      this.size.miss(key);
    }
    this.#kept.add(key);
    for (const oldest of this.#kept) {
      if (this.#kept.size <= this.size.value) return;
      this.#kept.delete(oldest);
      this.size.evicted(oldest);
    }
  }

  /** Marsaglia's xorshift, 32 bits. */
  #next(): number {
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    return this.#random >>> 0;
  }
}
