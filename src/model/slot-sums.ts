import { type SlotBytes } from './placement-plan.ts';
import { SLOT_COUNT } from './slot.ts';

/** The segments of one slot, tier and number of copies, together. */
export interface SlotSum {
  readonly slot: number;
  readonly tier: 'hot' | 'cold';
  readonly copies: number;
  readonly segments: number;
  readonly bytes: number;
}

/**
 * What a place counts for beside its bytes when the placement is weighed: 64 KiB, a gibibyte over all slots. Below that it is the number of slots that is
 * balanced, so that the first few segments of a cluster do not move about; far above it, bytes alone.
 */
const EMPTY_PLACE_BYTES = 65_536;

export interface TierSum {
  readonly segments: number;
  readonly bytes: number;
}

/** All segments by slot: what the placement weighs. Its size does not depend on how many segments there are. */
export class SlotSums {
  readonly #sums: readonly SlotSum[];

  constructor(sums: readonly SlotSum[]) {
    this.#sums = sums;
  }

  of(tier: 'hot' | 'cold'): TierSum {
    const those = this.#sums.filter((sum) => sum.tier === tier);
    return {
      segments: those.reduce((all, { segments }) => all + segments, 0),
      bytes: those.reduce((all, { bytes }) => all + bytes, 0),
    };
  }

  /** For each rank the bytes of each slot's segments that have a copy at that rank, as `plan` takes them. */
  bytesByRank(ranks: number): SlotBytes {
    return this.#byRank(ranks, ({ bytes }) => bytes);
  }

  /** What the placement balances: those bytes, and a little for each place, so that empty ones are spread too. */
  weightsByRank(ranks: number): SlotBytes {
    const weights = this.#byRank(ranks, ({ bytes }) => bytes);
    for (const ofRank of weights)
      for (const [slot, bytes] of ofRank.entries()) ofRank[slot] = bytes + EMPTY_PLACE_BYTES;
    return weights;
  }

  /** The same, counting segments. */
  copiesByRank(ranks: number): SlotBytes {
    return this.#byRank(ranks, ({ segments }) => segments);
  }

  #byRank(ranks: number, amount: (sum: SlotSum) => number): Float64Array[] {
    const table = Array.from({ length: ranks }, () => new Float64Array(SLOT_COUNT));
    for (const sum of this.#sums) {
      if (sum.tier === 'cold') continue;
      for (const ofRank of table.slice(0, sum.copies)) ofRank[sum.slot] = (ofRank[sum.slot] ?? 0) + amount(sum);
    }
    return table;
  }
}
