import { expect, test } from 'vitest';
import { nodeLossStory } from '../support/node-loss-story.ts';

/** The full size is a line of the benchmarks. */
const SEGMENTS = 600;
const WITHIN_MS = 120_000;
/** In one step, so that the node that comes back still has what it is to have. */
const AT_ONCE = ['--moves-per-node', '16384', '--moves-in-all', '65536'];

test(
  'five nodes and a client that never stops reading: one is killed and comes back, a sixth joins; no read fails twice, two copies of each are there again, a sixth of them moves',
  async () => {
    const figures = await nodeLossStory({
      segments: SEGMENTS,
      readsPerSecond: 200,
      withinMs: WITHIN_MS,
      args: AT_ONCE,
    });
    const { reads, moved, returnedFetched } = figures;
    expect(reads.failed).toEqual([]);
    expect(reads.reads).toBeGreaterThan(SEGMENTS);
    const share = (2 * SEGMENTS) / 6;
    expect(moved.toTheSixth).toBeGreaterThan(share * 0.7);
    expect(moved.toTheSixth + moved.toOthers).toBeLessThan(share * 1.4);
    // It had a fifth of the copies when it died, and is to have many of them again.
    expect(returnedFetched).toBeLessThan(((2 * SEGMENTS) / 5) * 0.9);
  },
  4 * WITHIN_MS,
);
