import { type TroughError } from '../errors.ts';
import { type After } from './wire.ts';

export interface Chunk {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export interface ChunkCutterOptions {
  /** Largest chunk in bytes. */
  readonly mostBytes: number;
  /** How long the first piece of a chunk waits for more, in ms. */
  readonly lingerMs: number;
  readonly after: After;
}

/**
 * Cuts and joins the pieces of a body to chunks. Asks for a piece only while somebody waits for a chunk, so that the body's source
 * feels the reader's pace. A failure of the body comes at once: bytes before it that were not taken yet are of no use.
 */
export class ChunkCutter {
  readonly #options: ChunkCutterOptions;
  readonly #source: AsyncIterator<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #lingered = false;
  #cancelLinger: (() => void) | undefined;
  #pulling = false;
  #ended = false;
  #failure: { error: unknown } | undefined;
  #waiting: { resolve: (chunk: Chunk) => void; reject: (error: unknown) => void } | undefined;

  constructor(body: AsyncIterable<Uint8Array>, options: ChunkCutterOptions) {
    this.#options = options;
    this.#source = body[Symbol.asyncIterator]();
  }

  /** The next chunk; called again only after the one before has come, and never after the last. */
  next(): Promise<Chunk> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#advance();
    });
  }

  /** Gives the body up: the source is told to clean up, and whoever waits gets the error. */
  stop(error: TroughError): void {
    this.#cancelLinger?.();
    if (!this.#ended && this.#failure === undefined) {
      // A source that fails while it cleans up has nobody left to tell.
      this.#source.return?.().catch(() => undefined);
    }
    this.#failure ??= { error };
    this.#advance();
  }

  #advance(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    if (this.#failure !== undefined) {
      this.#waiting = undefined;
      waiting.reject(this.#failure.error);
    } else if (this.#bytes > this.#options.mostBytes || (this.#lingered && this.#bytes > 0)) {
      this.#waiting = undefined;
      waiting.resolve({ bytes: this.#take(), last: false });
    } else if (this.#ended) {
      this.#waiting = undefined;
      waiting.resolve({ bytes: this.#take(), last: true });
    } else {
      this.#pull();
    }
  }

  #pull(): void {
    if (this.#pulling) return;
    this.#pulling = true;
    this.#source.next().then(
      (result) => {
        this.#pulling = false;
        if (result.done === true) this.#ended = true;
        else this.#add(result.value);
        this.#advance();
      },
      (error: unknown) => {
        this.#pulling = false;
        this.#failure ??= { error };
        this.#advance();
      },
    );
  }

  #add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    this.#linger();
  }

  #linger(): void {
    this.#cancelLinger ??= this.#options.after(this.#options.lingerMs, () => {
      this.#lingered = true;
      this.#advance();
    });
  }

  #take(): Uint8Array {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#lingered = false;
    const [first] = this.#pieces;
    const all = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    const chunk = all.subarray(0, this.#options.mostBytes);
    const rest = all.subarray(chunk.length);
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    if (rest.length > 0) this.#linger();
    return chunk;
  }
}
