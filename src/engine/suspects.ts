import { hash } from 'node:crypto';
import { type EngineQuery } from './engine.ts';

const MOST_KEPT = 1_000;
/** Longer texts are remembered by their hash. */
const LONGEST_TEXT = 4_096;

type Question = Pick<EngineQuery, 'segment' | 'sql'>;

/** The queries that ran long the last time they ran, by segment and text; the longest known forgotten first. */
export class Suspects {
  readonly #bySegment = new Map<string, Set<string>>();
  #size = 0;

  has({ segment, sql }: Question): boolean {
    if (this.#size === 0) return false;
    return this.#bySegment.get(segment)?.has(keyOf(sql)) === true;
  }

  add({ segment, sql }: Question): void {
    const known = this.#bySegment.get(segment) ?? new Set<string>();
    const key = keyOf(sql);
    if (known.has(key)) return;
    known.add(key);
    this.#size += 1;
    // Last in the order of the map: its segment is the last to be forgotten.
    this.#bySegment.delete(segment);
    this.#bySegment.set(segment, known);
    if (this.#size > MOST_KEPT) this.#forgetOne();
  }

  /** It ran and was quick. */
  clear({ segment, sql }: Question): void {
    const known = this.#bySegment.get(segment);
    if (known?.delete(keyOf(sql)) !== true) return;
    this.#size -= 1;
    if (known.size === 0) this.#bySegment.delete(segment);
  }

  #forgetOne(): void {
    for (const [segment, known] of this.#bySegment) {
      for (const sql of known) {
        known.delete(sql);
        this.#size -= 1;
        if (known.size === 0) this.#bySegment.delete(segment);
        return;
      }
    }
  }
}

function keyOf(sql: string): string {
  return sql.length <= LONGEST_TEXT ? sql : hash('sha256', sql);
}
