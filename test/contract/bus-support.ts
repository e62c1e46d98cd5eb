import { type Bus, type BusAnswer, type BusReply } from '../../src/bus/bus.ts';

/** Three processes' buses that reach each other, and nobody else. */
export interface BusDriver extends AsyncDisposable {
  readonly buses: readonly [Bus, Bus, Bus];
  /** The first is gone without a word, as a process that was killed. */
  vanish(): Promise<void>;
}

export const MB = 1024 * 1024;
export const patience = { deadlineMs: 5_000 };

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** An answer made of a body alone. */
export function bodyOnly(body: BusAnswer['body']): Promise<BusAnswer> {
  return Promise.resolve({ headers: {}, body });
}

export async function bodyOf(reply: BusReply): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of reply.body) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** `count` pieces of `sizeBytes`, each filled with its number; `made` counts those that were asked for. */
export class Pieces implements AsyncIterable<Uint8Array> {
  readonly #count: number;
  readonly #sizeBytes: number;
  made = 0;
  isClosed = false;

  constructor(count: number, sizeBytes: number) {
    this.#count = count;
    this.#sizeBytes = sizeBytes;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a source that is always ready
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (this.made < this.#count) {
        this.made += 1;
        yield Buffer.alloc(this.#sizeBytes, this.made % 251);
      }
    } finally {
      this.isClosed = true;
    }
  }
}

/** Resolves when the signal fires. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else {
      signal.addEventListener('abort', () => {
        resolve();
      });
    }
  });
}
