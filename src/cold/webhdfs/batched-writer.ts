import { type FileHandle } from 'node:fs/promises';

/** What it needs of a file that is open for writing. */
type Written = Pick<FileHandle, 'writev' | 'datasync'>;

/** Pieces come as the network gives them; each write goes through another thread, which costs more than a small piece is worth. */
const BATCH_BYTES = 512 * 1024;
/** So much is brought to the disk while more comes in: the sync at the end of a large file then has little left to wait for. */
const SYNC_BYTES = 64 * 1024 * 1024;

/**
 * Writes what it is given to a file, from its beginning on, in few writes; while one runs the next pieces are taken in. Holds two batches at most. A large
 * file is on its way to the disk meanwhile; the last sync is the caller's.
 */
export class BatchedWriter {
  readonly #file: Written;
  readonly #written: (piece: Uint8Array) => void;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #failed = false;

  /** `written` is told of each piece, in order, when it can be read from the file. */
  constructor(file: Written, written: (piece: Uint8Array) => void) {
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
    await this.#syncing;
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
    for (const piece of batch) {
      this.#unsyncedBytes += piece.length;
      this.#written(piece);
    }
    if (this.#unsyncedBytes >= SYNC_BYTES) await this.#sync();
  }

  /** One at a time. A disk that is slower than the network is waited for here, as it would be at the end. */
  async #sync(): Promise<void> {
    await this.#syncing;
    this.#unsyncedBytes = 0;
    this.#syncing = this.#file.datasync();
    // It is waited for with the next one, or at the end.
    this.#syncing.catch(() => {
      this.#failed = true;
    });
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
