import { type FileHandle } from 'node:fs/promises';

/** Pieces come as the network gives them; each write goes through another thread, which costs more than a small piece is worth. */
const BATCH_BYTES = 512 * 1024;

/** Writes what it is given to a file, from its beginning on, in few writes; while one runs the next pieces are taken in. Holds two batches at most. */
export class BatchedWriter {
  readonly #file: FileHandle;
  readonly #written: (piece: Uint8Array) => void;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  /** `written` is told of each piece, in order, when it can be read from the file. */
  constructor(file: FileHandle, written: (piece: Uint8Array) => void) {
    this.#file = file;
    this.#written = written;
  }

  /** Resolves when the next piece may come. The piece must keep its bytes. */
  readonly write = async (piece: Uint8Array): Promise<void> => {
    this.#batch.push(piece);
    this.#batchBytes += piece.length;
    if (this.#batchBytes < BATCH_BYTES && !this.#failed) return;
    await this.#writing;
    this.#start();
  };

  /** Resolves when everything is written. */
  readonly end = async (): Promise<void> => {
    await this.#writing;
    this.#start();
    await this.#writing;
  };

  #start(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    this.#writing = this.#write(batch);
    // It is waited for with the next batch, or at the end.
    this.#writing.catch(() => {
      this.#failed = true;
    });
  }

  async #write(batch: readonly Uint8Array[]): Promise<void> {
    let rest = batch;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest);
      rest = behind(rest, bytesWritten);
    }
    for (const piece of batch) this.#written(piece);
  }
}

/** What is left of the pieces when so many bytes of them are gone. */
function behind(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  for (const [at, piece] of pieces.entries()) {
    if (left < piece.length) return [piece.subarray(left), ...pieces.slice(at + 1)];
    left -= piece.length;
  }
  return [];
}
