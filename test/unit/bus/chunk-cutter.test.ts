import { describe, expect, it } from 'vitest';
import { ChunkCutter } from '../../../src/bus/chunk-cutter.ts';
import { TroughError } from '../../../src/errors.ts';
import { ManualClock } from '../../support/manual-clock.ts';

/** A source that gives what `push` hands it, and tells whether it was closed. */
class Source implements AsyncIterableIterator<Uint8Array> {
  #waiting: ((result: IteratorResult<Uint8Array, undefined>) => void) | undefined;
  readonly #ready: IteratorResult<Uint8Array, undefined>[] = [];
  isClosed = false;
  asked = 0;

  push(...sizes: number[]): void {
    for (const size of sizes) this.#give({ done: false, value: new Uint8Array(size) });
  }

  end(): void {
    this.#give({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.asked += 1;
    const ready = this.#ready.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.isClosed = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #give(result: IteratorResult<Uint8Array, undefined>): void {
    if (this.#waiting === undefined) this.#ready.push(result);
    else this.#waiting(result);
    this.#waiting = undefined;
  }
}

function cut(): { source: Source; clock: ManualClock; cutter: ChunkCutter } {
  const source = new Source();
  const clock = new ManualClock();
  return {
    source,
    clock,
    cutter: new ChunkCutter(source, { mostBytes: 10, lingerMs: 5, after: clock.after.bind(clock) }),
  };
}

async function sizesOf(cutter: ChunkCutter): Promise<number[]> {
  const sizes: number[] = [];
  for (;;) {
    const { bytes, last } = await cutter.next();
    sizes.push(bytes.length);
    if (last) return sizes;
  }
}

describe('a chunk cutter', () => {
  it.each([
    [[], [0]],
    [[3, 4], [7]],
    [[10], [10]],
    [[5, 5], [10]],
    [[11], [10, 1]],
    [[25], [10, 10, 5]],
    [
      [6, 6, 6, 6],
      [10, 10, 4],
    ],
    [[0, 3, 0], [3]],
  ])('makes of pieces %j the chunks %j', async (pieces, chunks) => {
    const { source, cutter } = cut();
    source.push(...pieces);
    source.end();
    expect(await sizesOf(cutter)).toEqual(chunks);
  });

  it('lets a short piece wait five milliseconds for more, and no longer', async () => {
    const { source, clock, cutter } = cut();
    let size: number | undefined;
    const taking = cutter.next().then(({ bytes, last }) => {
      size = bytes.length;
      expect(last).toBe(false);
    });
    source.push(2);
    await clock.advance(4);
    source.push(3);
    expect(size).toBeUndefined();
    await clock.advance(1);
    await taking;
    expect(size).toBe(5);
  });

  it('lets what is left of a large piece go as well when nothing follows', async () => {
    const { source, clock, cutter } = cut();
    source.push(12);
    expect((await cutter.next()).bytes.length).toBe(10);
    const rest = cutter.next();
    await clock.advance(5);
    expect((await rest).bytes.length).toBe(2);
  });

  it('asks its source only while somebody waits', async () => {
    const { source, cutter } = cut();
    source.push(11, 11, 11);
    await cutter.next();
    expect(source.asked).toBe(1);
  });

  it('closes the source and fails whoever waits when it is stopped', async () => {
    const { source, cutter } = cut();
    const waiting = cutter.next();
    const error = new TroughError('BUS_ASKER_GONE', 'gone');
    cutter.stop(error);
    await expect(waiting).rejects.toBe(error);
    expect(source.isClosed).toBe(true);
  });
});
