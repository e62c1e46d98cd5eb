import { BufferPool } from './buffer-pool.ts';

/**
 * Frames between the engine and one child, over the socket on the child's fd 3:
 * u32 length of what follows, u8 type, u32 call id, payload (all big-endian).
 */
export const FRAME = {
  // to the child
  /** Payload: JSON of a QueryMessage. Answered by RESULT, or HEAD CHUNK* END, or FAIL in place of any of them. */
  query: 1,
  /** Payload: JSON of a ServiceMessage. Answered by VALUE or FAIL. */
  service: 2,
  /** The call is not wanted any more. Answered by FAIL when it had not ended. No payload. */
  cancel: 3,
  /** Payload: u32, how many more chunks the child may send; a large one counts as many. */
  credit: 4,
  /** Payload: the path of a file that is not to be kept open, behind what was sent before. Not answered; its call id is 0. */
  forget: 5,
  // from the child
  ready: 10,
  /** A whole answer: u32 open connections, u32 microseconds to open and prepare, u32 rows, u8 truncated, u32 length of columns, columns as JSON, body. */
  result: 11,
  /** The start of a long answer: u32 open connections, u32 microseconds to open and prepare, u32 length of columns, columns as JSON, first chunk. */
  head: 12,
  chunk: 13,
  /** u32 open connections, f64 rows, u8 truncated. */
  end: 14,
  /** JSON of an ErrorRecord. */
  fail: 15,
  /** JSON. */
  value: 16,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

/** Chunks that a child may send before the first is taken out. */
export const FIRST_CREDITS = 8;
/** More than any chunk has that no single long value has made longer. */
const CREDIT_BYTES = 256 * 1024;

/** What a chunk costs of the credit of its stream: one that a long value has made large takes the place of many. */
export function creditsFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / CREDIT_BYTES));
}

const LENGTH_BYTES = 4;
const HEADER_BYTES = 9;
/** Above this a batch is given to the socket at once. */
const BATCH_BYTES = 256 * 1024;
/** Kept for the next batch, or the next long payload. */
const MOST_FREE_BYTES = 4 * 1024 * 1024;

/** Gathers the frames of one turn into one write. `flush` at the end of the turn is the caller's; `write` says when it needs the bytes no longer. */
export class FrameWriter {
  readonly #write: (bytes: Uint8Array, done: () => void) => void;
  readonly #pool = new BufferPool(MOST_FREE_BYTES);
  #frames: Frame[] = [];
  #bytes = 0;

  constructor(write: (bytes: Uint8Array, done: () => void) => void) {
    this.#write = write;
  }

  send(type: FrameType, call: number, ...payload: readonly (string | Uint8Array)[]): void {
    let length = 0;
    for (const part of payload) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length;
    this.#frames.push({ type, call, payload, length });
    this.#bytes += HEADER_BYTES + length;
    if (this.#bytes >= BATCH_BYTES) this.flush();
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const batch = this.#pool.take(this.#bytes);
    let at = 0;
    for (const { type, call, payload, length } of this.#frames) {
      at = batch.writeUInt32BE(HEADER_BYTES - LENGTH_BYTES + length, at);
      at = batch.writeUInt8(type, at);
      at = batch.writeUInt32BE(call, at);
      for (const part of payload) {
        if (typeof part === 'string') {
          at += batch.write(part, at);
        } else {
          batch.set(part, at);
          at += part.length;
        }
      }
    }
    this.#frames = [];
    this.#bytes = 0;
    this.#write(batch, () => {
      this.#pool.give(batch);
    });
  }
}

interface Frame {
  readonly type: FrameType;
  readonly call: number;
  readonly payload: readonly (string | Uint8Array)[];
  /** Of the payload, bytes. */
  readonly length: number;
}

export type OnFrame = (type: number, call: number, payload: Buffer) => void;

interface OpenFrame {
  readonly type: number;
  readonly call: number;
  readonly payload: Buffer;
  filled: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * Cuts what the socket delivers into frames. A payload is a view of the received bytes, or a copy of its own when it came in several pieces: that
 * one may be given back to `pool`.
 */
export class FrameReader {
  readonly #onFrame: OnFrame;
  readonly pool = new BufferPool(MOST_FREE_BYTES);
  /** Less than a header. */
  #kept = NOTHING;
  #open: OpenFrame | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  push(received: Buffer): void {
    let bytes = received;
    if (this.#open !== undefined) bytes = this.#fill(this.#open, received);
    else if (this.#kept.length > 0) bytes = Buffer.concat([this.#kept, received]);
    this.#deliver(bytes);
  }

  /** What is left behind the frame's end. */
  #fill(open: OpenFrame, received: Buffer): Buffer {
    const { type, call, payload } = open;
    const taken = received.copy(payload, open.filled);
    open.filled += taken;
    if (open.filled < payload.length) return NOTHING;
    this.#open = undefined;
    this.#onFrame(type, call, payload);
    return received.subarray(taken);
  }

  #deliver(bytes: Buffer): void {
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const end = at + 4 + bytes.readUInt32BE(at);
      const type = bytes.readUInt8(at + 4);
      const call = bytes.readUInt32BE(at + 5);
      if (end > bytes.length) {
        const payload = this.pool.take(end - at - HEADER_BYTES);
        this.#open = { type, call, payload, filled: bytes.copy(payload, 0, at + HEADER_BYTES) };
        at = bytes.length;
        break;
      }
      this.#onFrame(type, call, bytes.subarray(at + HEADER_BYTES, end));
      at = end;
    }
    // Copied: a few bytes must not hold on to all that was received with them.
    this.#kept = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
  }
}
