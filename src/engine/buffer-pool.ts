/** Smaller ones are cheap to make, and are. Bytes. */
const SMALLEST_KEPT = 16 * 1024;
const LARGEST_KEPT = 1024 * 1024;
/** Sizes are rounded up, so that answers of about one length find each other's buffers. */
const STEP = 16 * 1024;
/** A buffer that is so many times too large is left for somebody else. */
const MOST_TIMES = 4;

/**
 * Large buffers that were given back, for the next ones. Made anew for each answer, some thousand of them in a second, they cost full collections:
 * V8 counts their bytes beside a heap that is small.
 */
export class BufferPool {
  readonly #mostBytes: number;
  readonly #free: Buffer[] = [];
  /** Those that are out and may come back, by their memory. */
  readonly #own = new WeakSet<ArrayBufferLike>();
  #freeBytes = 0;

  /** Keeps no more than `mostBytes` for the next ones. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Of that length, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes < SMALLEST_KEPT || bytes > LARGEST_KEPT) return Buffer.allocUnsafe(bytes);
    const at = this.#free.findLastIndex(({ length }) => length >= bytes && length <= bytes * MOST_TIMES);
    const [kept] = at === -1 ? [] : this.#free.splice(at, 1);
    if (kept !== undefined) this.#freeBytes -= kept.length;
    const whole = kept ?? Buffer.allocUnsafeSlow(Math.ceil(bytes / STEP) * STEP);
    this.#own.add(whole.buffer);
    return whole.subarray(0, bytes);
  }

  /** From here on nobody may look at it: neither at `part` nor at anything else of the buffer that it is a part of. Others than its own it leaves alone. */
  give(part: Uint8Array): void {
    // Once only, or two answers would share it.
    if (!this.#own.delete(part.buffer)) return;
    const whole = Buffer.from(part.buffer);
    if (this.#freeBytes + whole.length > this.#mostBytes) return;
    this.#free.push(whole);
    this.#freeBytes += whole.length;
  }
}
