import { hash } from 'node:crypto';
import { type EngineQuery } from './engine.ts';

const MOST_KEPT = 1_000;
/** Longer texts are remembered by their hash. */
const LONGEST_TEXT = 4_096;
/** A text that was long for so many segments, less the quick runs since, is suspect for every segment. */
const SUSPECT_EVERYWHERE = 2;
const MOST_LONG_RUNS = 4;

type Question = Pick<EngineQuery, 'segment' | 'sql'>;

/**
 * The queries that ran long lately: for the segment that they were put to, and for all segments when they ran long for several.
 * Known by their text: one that is quick for most values and long for some must not keep the others waiting. The oldest is forgotten first.
 */
export class Suspects {
  readonly #pairs = new Set<string>();
  readonly #longRuns = new Map<string, number>();

  has({ segment, sql }: Question): boolean {
    if (this.#longRuns.size === 0) return false;
    const key = keyOf(sql);
    const longRuns = this.#longRuns.get(key);
    if (longRuns === undefined) return false;
    return longRuns >= SUSPECT_EVERYWHERE || this.#pairs.has(pairOf(segment, key));
  }

  add({ segment, sql }: Question): void {
    const key = keyOf(sql);
    const pair = pairOf(segment, key);
    const longRuns = this.#longRuns.get(key) ?? 0;
    const isKnown = longRuns > 0 && this.#pairs.delete(pair);
    this.#longRuns.delete(key);
    this.#longRuns.set(key, isKnown ? longRuns : Math.min(longRuns + 1, MOST_LONG_RUNS));
    this.#pairs.add(pair);
    forgetFirst(this.#longRuns);
    forgetFirst(this.#pairs);
  }

  /** It ran and was quick. */
  clear({ segment, sql }: Question): void {
    const key = keyOf(sql);
    this.#pairs.delete(pairOf(segment, key));
    const longRuns = this.#longRuns.get(key);
    if (longRuns === undefined) return;
    if (longRuns > 1) this.#longRuns.set(key, longRuns - 1);
    else this.#longRuns.delete(key);
  }
}

function keyOf(sql: string): string {
  return sql.length > LONGEST_TEXT ? hash('sha256', sql) : sql;
}

/** No segment's name has a line break. */
function pairOf(segment: string, key: string): string {
  return `${segment}\n${key}`;
}

function forgetFirst(kept: Set<string> | Map<string, number>): void {
  if (kept.size <= MOST_KEPT) return;
  for (const first of kept.keys()) {
    kept.delete(first);
    return;
  }
}
